//! What simulations are compared with.

use std::hint::black_box;
use std::time::Instant;

use crate::DT;

/// Nanoseconds per cell and step of the model as one would write it first: a loop over the grid, tanh
/// of the library.
pub fn plain(n: usize) -> f64 {
    let mut u = vec![0.0f32; n * n];
    u[..20 * n].fill(0.9);
    let (mut v, mut w, mut next) = (vec![1.0f32; n * n], vec![1.0f32; n * n], u.clone());
    let dt = DT as f32;
    let steps = (4e7 / (n * n) as f64).max(2.0) as usize;
    let begun = Instant::now();
    for _ in 0..steps {
        for y in 0..n {
            let (up, down) = (y.saturating_sub(1), (y + 1).min(n - 1));
            for x in 0..n {
                let i = y * n + x;
                let (left, right) = (x.saturating_sub(1), (x + 1).min(n - 1));
                let c = u[i];
                let neighbours =
                    u[y * n + left] + u[y * n + right] + u[up * n + x] + u[down * n + x];
                let j_si = -w[i] * (1.0 + (10.0 * (c - 0.85)).tanh()) / 58.0;
                let p = c >= 0.13;
                let j = if p {
                    -v[i] * (c - 0.13) * (1.0 - c) / 0.25 + 1.0 / 33.33
                } else {
                    c / 12.5
                };
                next[i] = c + 0.1 * (neighbours - 4.0 * c) - dt * (j + j_si);
                let tau = if c >= 0.04 { 1250.0 } else { 19.6 };
                v[i] += dt * if p { -v[i] / 3.33 } else { (1.0 - v[i]) / tau };
                w[i] += dt
                    * if p {
                        -w[i] / 870.0
                    } else {
                        (1.0 - w[i]) / 41.0
                    };
            }
        }
        std::mem::swap(&mut u, &mut next);
    }
    black_box(&u);
    begun.elapsed().as_secs_f64() * 1e9 / (n * n * steps) as f64
}
