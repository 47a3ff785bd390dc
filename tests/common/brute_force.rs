//! The local problem and the whole solution by means that share nothing with the solver: nested
//! golden sections over the simplex, in coordinates, and plain Gauss–Seidel sweeps.

use isochrone::tensor::{Metric, Vec3, add, scale, sub};

use super::cases::Case;

/// (√5 − 1)/2
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// Minimum of a convex function on [a, b].
fn golden(mut a: f64, mut b: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let (ends, width) = (f(a).min(f(b)), b - a);
    let (mut c, mut d) = (b - GOLDEN * (b - a), a + GOLDEN * (b - a));
    let (mut fc, mut fd) = (f(c), f(d));
    let mut best = ends.min(fc).min(fd);
    while b - a > 1e-9 * width {
        if fc < fd {
            (b, d, fd) = (d, c, fc);
            c = b - GOLDEN * (b - a);
            fc = f(c);
            best = best.min(fc);
        } else {
            (a, c, fc) = (c, d, fd);
            d = a + GOLDEN * (b - a);
            fd = f(d);
            best = best.min(fd);
        }
    }
    best
}

/// min over λ in the simplex of Σ λ_i φ_i + |x₄ − x_λ|_N; vertices with φ = ∞ left out.
pub fn arrival(metric: &Metric, face: [Vec3; 3], x: Vec3, phi: [f64; 3]) -> f64 {
    let reached: Vec<usize> = (0..3).filter(|i| phi[*i] < f64::INFINITY).collect();
    let value = |weights: &[(usize, f64)]| {
        let foot = weights
            .iter()
            .fold([0.0; 3], |p, (i, l)| add(p, scale(*l, face[*i])));
        let time: f64 = weights.iter().map(|(i, l)| l * phi[*i]).sum();
        time + metric.squared_length(sub(x, foot)).sqrt()
    };
    match reached[..] {
        [i] => value(&[(i, 1.0)]),
        [i, j] => golden(0.0, 1.0, |l| value(&[(i, l), (j, 1.0 - l)])),
        [i, j, k] => golden(0.0, 1.0, |l| {
            golden(0.0, 1.0 - l, |m| value(&[(i, l), (j, m), (k, 1.0 - l - m)]))
        }),
        _ => f64::INFINITY,
    }
}

/// Gauss–Seidel sweeps from +∞ until nothing falls by more than 1e-13 relative.
pub fn activation_time(case: &Case) -> Vec<f64> {
    let mesh = &case.mesh;
    let mut phi = vec![f64::INFINITY; mesh.vertex_count()];
    for source in &case.sources {
        let time = &mut phi[source.vertex as usize];
        *time = time.min(source.time);
    }
    let metrics: Vec<Metric> = (0..mesh.tetrahedron_count())
        .map(|t| {
            let gamma = case.gamma[case.domains[t] as usize];
            Metric(case.metric_tensor(t).0.map(|n| n / gamma))
        })
        .collect();
    let count = mesh.tetrahedron_count();
    // Inputs of the last solve of each corner, so that none is made twice.
    let mut last = vec![[[f64::NAN; 3]; 4]; count];
    for sweep in 0..10_000 {
        let mut fell = false;
        for i in 0..count {
            let t = if sweep % 2 == 0 { i } else { count - 1 - i };
            let tet = mesh.tetrahedra[t];
            for c in 0..4 {
                let others: Vec<usize> = (0..4).filter(|k| *k != c).collect();
                let face = [0, 1, 2].map(|k| tet[others[k]]);
                let times = face.map(|v| phi[v as usize]);
                if times == last[t][c] || times == [f64::INFINITY; 3] {
                    continue;
                }
                last[t][c] = times;
                let target = tet[c] as usize;
                let earliest = times[0].min(times[1]).min(times[2]);
                if phi[target] <= earliest {
                    continue;
                }
                let points = face.map(|v| mesh.points[v as usize]);
                let time = arrival(&metrics[t], points, mesh.points[target], times);
                if time < phi[target] - 1e-13 * time.abs() {
                    phi[target] = time;
                    fell = true;
                }
            }
        }
        if !fell {
            return phi;
        }
    }
    panic!("no convergence");
}
