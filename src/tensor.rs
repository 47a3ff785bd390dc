//! Symmetric positive definite 3×3 tensors: velocity M and metric N = M⁻¹, kept apart by type.
//!
//! Components in the order xx xy xz yy yz zz. With fibre f, sheet s, normal n (orthonormal) and
//! speeds c_f, c_s, c_n:  M = c_f² f fᵀ + c_s² s sᵀ + c_n² n nᵀ  (mm²/ms²).
//! The travel time of a straight piece e is sqrt(eᵀ N e).

/// Vector in space.
pub type Vec3 = [f64; 3];

/// Velocity tensor M (squared speeds, mm²/ms²).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VelocityTensor(pub [f64; 6]);

/// Metric (slowness) tensor N = M⁻¹ (ms²/mm²).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric(pub [f64; 6]);

/// Difference a − b.
#[inline(always)]
pub fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

/// Sum a + b.
#[inline(always)]
pub fn add(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

/// Multiple k a.
#[inline(always)]
pub fn scale(k: f64, a: Vec3) -> Vec3 {
    [k * a[0], k * a[1], k * a[2]]
}

/// Euclidean inner product.
#[inline(always)]
pub fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Euclidean norm.
#[inline(always)]
pub fn norm(a: Vec3) -> f64 {
    dot(a, a).sqrt()
}

/// Cross product a × b.
#[inline(always)]
pub fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

/// a / |a|, or `None` for the zero vector and for what is not finite.
pub fn unit(a: Vec3) -> Option<Vec3> {
    let length = norm(a);
    (length > 0.0 && length.is_finite()).then(|| scale(1.0 / length, a))
}

/// All nine entries, row by row, of a symmetric tensor in the order xx xy xz yy yz zz.
pub fn full_matrix(&[xx, xy, xz, yy, yz, zz]: &[f64; 6]) -> [f64; 9] {
    [xx, xy, xz, xy, yy, yz, xz, yz, zz]
}

/// Quadratic form eᵀ S e of a symmetric tensor in the order xx xy xz yy yz zz.
#[inline(always)]
fn quadratic(s: &[f64; 6], e: Vec3) -> f64 {
    s[0] * e[0] * e[0]
        + s[3] * e[1] * e[1]
        + s[5] * e[2] * e[2]
        + 2.0 * (s[1] * e[0] * e[1] + s[2] * e[0] * e[2] + s[4] * e[1] * e[2])
}

/// Cofactors and determinant of a symmetric tensor.
fn adjugate(s: &[f64; 6]) -> ([f64; 6], f64) {
    let [xx, xy, xz, yy, yz, zz] = *s;
    let a = [
        yy * zz - yz * yz,
        xz * yz - xy * zz,
        xy * yz - xz * yy,
        xx * zz - xz * xz,
        xy * xz - xx * yz,
        xx * yy - xy * xy,
    ];
    (a, xx * a[0] + xy * a[1] + xz * a[2])
}

/// Sylvester's criterion, with all entries finite.
fn is_spd(s: &[f64; 6]) -> bool {
    let (a, det) = adjugate(s);
    s.iter().all(|x| x.is_finite()) && s[0] > 0.0 && a[5] > 0.0 && det > 0.0
}

impl VelocityTensor {
    /// M = c² I.
    pub fn isotropic(speed: f64) -> Self {
        let c2 = speed * speed;
        Self([c2, 0.0, 0.0, c2, 0.0, c2])
    }

    /// M = c_f² f fᵀ + c_s² s sᵀ + c_n² n nᵀ for orthonormal f, s, n = f × s.
    pub fn from_fibres(speeds: [f64; 3], fibre: Vec3, sheet: Vec3) -> Self {
        let normal = cross(fibre, sheet);
        let mut m = [0.0; 6];
        for (c, d) in speeds.into_iter().zip([fibre, sheet, normal]) {
            let c2 = c * c;
            m[0] += c2 * d[0] * d[0];
            m[1] += c2 * d[0] * d[1];
            m[2] += c2 * d[0] * d[2];
            m[3] += c2 * d[1] * d[1];
            m[4] += c2 * d[1] * d[2];
            m[5] += c2 * d[2] * d[2];
        }
        Self(m)
    }

    /// M = c_t² I + (c_f² − c_t²) f fᵀ: transversely isotropic, no sheet needed.
    pub fn transverse(fibre_speed: f64, cross_speed: f64, fibre: Vec3) -> Self {
        let (t, d) = (
            cross_speed * cross_speed,
            fibre_speed * fibre_speed - cross_speed * cross_speed,
        );
        let f = fibre;
        Self([
            t + d * f[0] * f[0],
            d * f[0] * f[1],
            d * f[0] * f[2],
            t + d * f[1] * f[1],
            d * f[1] * f[2],
            t + d * f[2] * f[2],
        ])
    }

    /// Whether M is symmetric positive definite and finite.
    pub fn is_spd(&self) -> bool {
        is_spd(&self.0)
    }

    /// N = M⁻¹; `None` unless M is SPD.
    pub fn metric(&self) -> Option<Metric> {
        if !self.is_spd() {
            return None;
        }
        let (a, det) = adjugate(&self.0);
        Some(Metric(a.map(|x| x / det)))
    }
}

impl Metric {
    /// Squared length eᵀ N e (ms²) of the piece e (mm).
    #[inline(always)]
    pub fn squared_length(&self, e: Vec3) -> f64 {
        quadratic(&self.0, e)
    }

    /// N e (ms²/mm).
    #[inline(always)]
    pub fn times(&self, e: Vec3) -> Vec3 {
        let [xx, xy, xz, yy, yz, zz] = self.0;
        [
            dot([xx, xy, xz], e),
            dot([xy, yy, yz], e),
            dot([xz, yz, zz], e),
        ]
    }

    /// N : S = Σ_ij N_ij S_ij for a symmetric S.
    #[inline(always)]
    pub fn contract(&self, s: &[f64; 6]) -> f64 {
        let n = &self.0;
        n[0] * s[0] + n[3] * s[3] + n[5] * s[5] + 2.0 * (n[1] * s[1] + n[2] * s[2] + n[4] * s[4])
    }

    /// −N S N for a symmetric S: turns df/dN (S) into df/dM, since dN = −N dM N.
    pub fn minus_n_s_n(&self, s: &[f64; 6]) -> [f64; 6] {
        let full = |t: &[f64; 6]| [[t[0], t[1], t[2]], [t[1], t[3], t[4]], [t[2], t[4], t[5]]];
        let (n, s) = (full(&self.0), full(s));
        let product = |a: [[f64; 3]; 3], b: [[f64; 3]; 3]| -> [[f64; 3]; 3] {
            std::array::from_fn(|i| {
                std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum())
            })
        };
        let r = product(product(n, s), n);
        [-r[0][0], -r[0][1], -r[0][2], -r[1][1], -r[1][2], -r[2][2]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_is_the_inverse() {
        let f = unit([1.0, 2.0, -1.0]).unwrap();
        let s = unit(cross(f, [0.3, 0.1, 0.9])).unwrap();
        let m = VelocityTensor::from_fibres([0.6, 0.4, 0.2], f, s);
        let n = m.metric().unwrap();
        // A unit step along an axis of M takes 1/c.
        for (c, d) in [(0.6, f), (0.4, s), (0.2, cross(f, s))] {
            assert!((n.squared_length(d).sqrt() - 1.0 / c).abs() < 1e-13);
        }
    }

    #[test]
    fn transverse_agrees_with_equal_cross_speeds() {
        let f = unit([0.2, -0.5, 0.7]).unwrap();
        let s = unit(cross(f, [1.0, 0.0, 0.0])).unwrap();
        let a = VelocityTensor::from_fibres([0.6, 0.3, 0.3], f, s).0;
        let b = VelocityTensor::transverse(0.6, 0.3, f).0;
        for (x, y) in a.iter().zip(b) {
            assert!((x - y).abs() < 1e-15);
        }
    }

    #[test]
    fn indefinite_and_nan_tensors_are_refused() {
        assert!(!VelocityTensor([1.0, 2.0, 0.0, 1.0, 0.0, 1.0]).is_spd());
        assert!(!VelocityTensor([1.0, f64::NAN, 0.0, 1.0, 0.0, 1.0]).is_spd());
        assert!(VelocityTensor::isotropic(0.0).metric().is_none());
    }
}
