//! Local solver: the earliest arrival at one vertex of a tetrahedron through its opposite face.
//!
//! With vertex 4 updated from 1, 2, 3 and x_λ = λ₁x₁ + λ₂x₂ + λ₃x₃, λ in the simplex,
//!
//!   φ₄ = min_λ  λ₁φ₁ + λ₂φ₂ + λ₃φ₃ + s(λ),    s² = (x₄ − x_λ)ᵀ N (x₄ − x_λ) / γ
//!
//! It is convex. All inner products follow from the six squared edge lengths L_ij in the metric
//! N/γ (Ganellari, Haase, Zumbusch 2018). No iteration, no trigonometry, and no branches: the
//! compiler turns loops over these functions into SIMD code.
//!
//! A vertex that is not reached has φ = +∞ and drops out by itself: every comparison with the
//! resulting infinities and NaNs is false, and false means "not valid here".

use crate::real::Real;

/// What a local solve needs: squared lengths in the metric N/γ, and the arrival times of the face.
#[derive(Debug, Clone, Copy)]
pub struct Corner<T> {
    pub l12: T,
    pub l13: T,
    pub l23: T,
    pub l14: T,
    pub l24: T,
    pub l34: T,
    pub phi: [T; 3],
}

/// Minimum over the plane of the face, λ not confined to the simplex.
#[derive(Debug, Clone, Copy)]
pub struct Interior<T> {
    /// λ is in the simplex: `phi` is the solution.
    pub valid: bool,
    /// Value; where λ is outside the simplex, a bound from below for the solution; where the
    /// minimum does not exist (a front faster than the medium allows), meaningless.
    pub phi: T,
    /// The minimum over the plane exists.
    pub exists: bool,
    /// The face is no sliver: the signs of λ can be relied on.
    pub well_posed: bool,
    pub lambda: [T; 3],
    pub s: T,
}

/// Where the minimum is attained.
#[derive(Debug, Clone, Copy)]
pub struct Stencil<T> {
    pub phi: T,
    pub lambda: [T; 3],
    /// Travel time from the foot point.
    pub s: T,
}

/// a − b, proportional to a squared altitude, not below its rounding: where vertex 4 is almost in
/// the plane of the face it would be negative else, and the solution lost.
#[inline(always)]
fn altitude<T: Real>(a: T, b: T) -> T {
    let (difference, least) = (a - b, T::from_f64(T::EPSILON) * a);
    if difference > least {
        difference
    } else {
        least
    }
}

/// Squared sine of the angle at vertex 3 below which a face is a sliver.
const SLIVER: f64 = 1e-3;

/// Stationary point in the plane of the face:
///
///   s² = (c − bᵀG⁻¹b) / (1 − δᵀG⁻¹δ),    λ = −G⁻¹(b + δ s),    φ₄ = φ₃ + λ·δ + s
#[inline(always)]
pub fn interior<T: Real>(k: &Corner<T>) -> Interior<T> {
    let (zero, half) = (T::from_f64(0.0), T::from_f64(0.5));
    let (d1, d2) = (k.phi[0] - k.phi[2], k.phi[1] - k.phi[2]);
    let g12 = half * (k.l13 + k.l23 - k.l12);
    let b1 = half * (k.l14 - k.l13 - k.l34);
    let b2 = half * (k.l24 - k.l23 - k.l34);
    let (g11, g22, c) = (k.l13, k.l23, k.l34);
    // G⁻¹ is [[g22, −g12], [−g12, g11]] / det.
    let det = g11 * g22 - g12 * g12;
    let (gb1, gb2) = (g22 * b1 - g12 * b2, g11 * b2 - g12 * b1);
    let (gd1, gd2) = (g22 * d1 - g12 * d2, g11 * d2 - g12 * d1);
    let numerator = altitude(c * det, b1 * gb1 + b2 * gb2);
    let denominator = det - (d1 * gd1 + d2 * gd2);
    let s = (numerator / denominator).sqrt();
    let reciprocal = T::from_f64(1.0) / det;
    let lambda1 = -(gb1 + gd1 * s) * reciprocal;
    let lambda2 = -(gb2 + gd2 * s) * reciprocal;
    let lambda3 = T::from_f64(1.0) - lambda1 - lambda2;
    let exists = denominator > zero;
    Interior {
        valid: exists & (lambda1 >= zero) & (lambda2 >= zero) & (lambda3 >= zero),
        exists,
        well_posed: det > T::from_f64(SLIVER) * (g11 * g22),
        phi: k.phi[2] + (lambda1 * d1 + lambda2 * d2) + s,
        lambda: [lambda1, lambda2, lambda3],
        s,
    }
}

/// Stationary point on the edge (i, j), the same formula in one dimension: the value (+∞ where it
/// is not strictly inside the edge), the weight of i, and s.
#[inline(always)]
fn edge<T: Real>(l_ij: T, l_i4: T, l_j4: T, phi_i: T, phi_j: T) -> (T, T, T) {
    let (zero, one, half) = (T::from_f64(0.0), T::from_f64(1.0), T::from_f64(0.5));
    let d = phi_i - phi_j;
    let b = half * (l_i4 - l_ij - l_j4);
    let denominator = l_ij - d * d;
    let s = (altitude(l_j4 * l_ij, b * b) / denominator).sqrt();
    let lambda = -(b + d * s) / l_ij;
    let phi = phi_j + lambda * d + s;
    let valid = (denominator > zero) & (lambda > zero) & (lambda < one);
    (
        if valid {
            phi
        } else {
            T::from_f64(f64::INFINITY)
        },
        lambda,
        s,
    )
}

/// Minimum over an edge (i, j) of the face, its ends included.
#[inline(always)]
pub fn along_edge<T: Real>(l_ij: T, l_i4: T, l_j4: T, phi_i: T, phi_j: T) -> T {
    let (inside, ..) = edge(l_ij, l_i4, l_j4, phi_i, phi_j);
    inside.least(phi_i + l_i4.sqrt()).least(phi_j + l_j4.sqrt())
}

/// Minimum over the boundary of the face: three edges, three vertices.
#[inline(always)]
pub fn boundary<T: Real>(k: &Corner<T>) -> T {
    let [p1, p2, p3] = k.phi;
    let (e12, ..) = edge(k.l12, k.l14, k.l24, p1, p2);
    let (e13, ..) = edge(k.l13, k.l14, k.l34, p1, p3);
    let (e23, ..) = edge(k.l23, k.l24, k.l34, p2, p3);
    let v1 = p1 + k.l14.sqrt();
    let v2 = p2 + k.l24.sqrt();
    let v3 = p3 + k.l34.sqrt();
    e12.least(e13).least(e23).least(v1).least(v2).least(v3)
}

/// φ₄.
#[inline(always)]
pub fn arrival<T: Real>(k: &Corner<T>) -> T {
    let inner = interior(k);
    if inner.valid { inner.phi } else { boundary(k) }
}

/// φ₄ with the minimiser: the same operations as [`arrival`], hence the same bits.
#[inline(always)]
pub fn stencil<T: Real>(k: &Corner<T>) -> Stencil<T> {
    let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
    let inner = interior(k);
    let [p1, p2, p3] = k.phi;
    let (e12, a12, s12) = edge(k.l12, k.l14, k.l24, p1, p2);
    let (e13, a13, s13) = edge(k.l13, k.l14, k.l34, p1, p3);
    let (e23, a23, s23) = edge(k.l23, k.l24, k.l34, p2, p3);
    let (r1, r2, r3) = (k.l14.sqrt(), k.l24.sqrt(), k.l34.sqrt());
    let candidate = |phi, lambda, s| Stencil { phi, lambda, s };
    // `least` keeps the later one of two equal values.
    let least = |a: Stencil<T>, b: Stencil<T>| choose(b.phi <= a.phi, b, a);
    let best = candidate(e12, [a12, one - a12, zero], s12);
    let best = least(best, candidate(e13, [a13, zero, one - a13], s13));
    let best = least(best, candidate(e23, [zero, a23, one - a23], s23));
    let best = least(best, candidate(p1 + r1, [one, zero, zero], r1));
    let best = least(best, candidate(p2 + r2, [zero, one, zero], r2));
    let best = least(best, candidate(p3 + r3, [zero, zero, one], r3));
    choose(
        inner.valid,
        candidate(inner.phi, inner.lambda, inner.s),
        best,
    )
}

/// One of two, without a branch.
#[inline(always)]
fn choose<T: Real>(first: bool, a: Stencil<T>, b: Stencil<T>) -> Stencil<T> {
    let choose = |a: T, b: T| if first { a } else { b };
    Stencil {
        phi: choose(a.phi, b.phi),
        lambda: [
            choose(a.lambda[0], b.lambda[0]),
            choose(a.lambda[1], b.lambda[1]),
            choose(a.lambda[2], b.lambda[2]),
        ],
        s: choose(a.s, b.s),
    }
}

/// Which vertices of the face the solution depends on, to a tolerance in time: bit i is set where
/// the optimality condition of λ_i holds with less than `tolerance` to spare,
///
///   φ_i + (Kλ)_i / s − φ₄ ≤ tolerance,    K_ij = ½(L_i4 + L_j4 − L_ij),    s² = λᵀKλ
///
/// (the left side is ≥ 0, and 0 wherever λ_i > 0).
pub fn support<T: Real>(k: &Corner<T>, at: &Stencil<T>, tolerance: f64) -> u8 {
    let [l1, l2, l3] = [k.l14, k.l24, k.l34].map(T::value);
    let (k12, k13, k23) = (
        0.5 * (l1 + l2 - k.l12.value()),
        0.5 * (l1 + l3 - k.l13.value()),
        0.5 * (l2 + l3 - k.l23.value()),
    );
    let lambda = at.lambda.map(T::value);
    let k_lambda = [
        l1 * lambda[0] + k12 * lambda[1] + k13 * lambda[2],
        k12 * lambda[0] + l2 * lambda[1] + k23 * lambda[2],
        k13 * lambda[0] + k23 * lambda[1] + l3 * lambda[2],
    ];
    let (s, phi4) = (at.s.value(), at.phi.value());
    (0..3)
        .filter(|&i| lambda[i] > 0.0 || k.phi[i].value() + k_lambda[i] / s - phi4 <= tolerance)
        .fold(0, |mask, i| mask | 1 << i)
}
