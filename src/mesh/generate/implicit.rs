//! Implicit shapes: functions that are negative inside, zero on the surface, positive outside, and
//! near the surface the distance to it to first order.

use crate::tensor::{Vec3, add, norm, scale, sub};

/// Ellipsoid with axes along x, y, z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipsoid {
    pub centre: Vec3,
    /// Semi-axes, mm.
    pub axes: Vec3,
}

impl Ellipsoid {
    /// d = k₀ (k₀ − 1)/k₁ with k₀ = |q/r|, k₁ = |q/r²|, q = p − centre, r the semi-axes: zero
    /// exactly on the ellipsoid, where |∇d| = 1.
    pub fn distance(&self, p: Vec3) -> f64 {
        let [_, k0, k1] = self.level(p);
        if k1 == 0.0 {
            return -self.axes.into_iter().fold(f64::INFINITY, f64::min);
        }
        k0 * (k0 - 1.0) / k1
    }

    /// ∇d; zero at the centre.
    pub fn gradient(&self, p: Vec3) -> Vec3 {
        let [_, k0, k1] = self.level(p);
        if k1 == 0.0 {
            return [0.0; 3];
        }
        let q = sub(p, self.centre);
        let divided =
            |power: i32| -> Vec3 { std::array::from_fn(|i| q[i] / self.axes[i].powi(power)) };
        let (grad_k0, grad_k1) = (scale(1.0 / k0, divided(2)), scale(1.0 / k1, divided(4)));
        add(
            scale((2.0 * k0 - 1.0) / k1, grad_k0),
            scale(-k0 * (k0 - 1.0) / (k1 * k1), grad_k1),
        )
    }

    /// |q|, |q/r|, |q/r²|.
    fn level(&self, p: Vec3) -> [f64; 3] {
        let q = sub(p, self.centre);
        let once: Vec3 = std::array::from_fn(|i| q[i] / self.axes[i]);
        let twice: Vec3 = std::array::from_fn(|i| once[i] / self.axes[i]);
        [norm(q), norm(once), norm(twice)]
    }
}

/// a ∩ b, its edge rounded off with `radius` (a circle exactly, where a and b meet at 90°).
pub fn intersection(a: f64, b: f64, radius: f64) -> f64 {
    let (u, v) = ((radius + a).max(0.0), (radius + b).max(0.0));
    a.max(b).min(-radius) + (u * u + v * v).sqrt()
}

/// a ∪ b, its groove filled with `radius`.
pub fn union(a: f64, b: f64, radius: f64) -> f64 {
    -intersection(-a, -b, radius)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_derivative_and_unit_on_the_surface() {
        let e = Ellipsoid {
            centre: [1.0, -2.0, 0.5],
            axes: [3.0, 2.0, 7.0],
        };
        for p in [[3.0, -1.0, 2.0], [1.5, -2.1, -4.0], [9.0, 5.0, 1.0]] {
            let g = e.gradient(p);
            for i in 0..3 {
                let h = 1e-5;
                let (mut above, mut below) = (p, p);
                above[i] += h;
                below[i] -= h;
                let difference = (e.distance(above) - e.distance(below)) / (2.0 * h);
                assert!((g[i] - difference).abs() < 1e-8, "{g:?} {difference}");
            }
        }
        let (s, c) = 0.7f64.sin_cos();
        let on_surface = [1.0 + 3.0 * c, -2.0 + 2.0 * s * 0.6, 0.5 + 7.0 * s * 0.8];
        assert!(e.distance(on_surface).abs() < 1e-14);
        assert!((norm(e.gradient(on_surface)) - 1.0).abs() < 1e-14);
        assert!(e.distance(e.centre) < 0.0);
    }

    #[test]
    fn blends_round_a_square_corner_to_a_circle() {
        // Quadrant x < 0, y < 0: the rounding is the circle about (−r, −r).
        let angle = 0.4f64;
        let p = [-1.0 + angle.cos(), -1.0 + angle.sin()];
        assert!(intersection(p[0], p[1], 1.0).abs() < 1e-15);
        assert!(union(-p[0], -p[1], 1.0).abs() < 1e-15);
        // Away from the corner nothing changes.
        assert!((intersection(0.3, -5.0, 1.0) - 0.3).abs() < 1e-15);
        assert!((intersection(-7.0, -5.0, 1.0) + 5.0).abs() < 1e-15);
    }
}
