//! Dual numbers x + Σ_d ẋ_d ε_d, ε² = 0: derivatives carried through every operation.
//!
//! Used by the all-active mode, the independent check on the tangent and the adjoint.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::atomic::AtomicU64;

use bytemuck::{Pod, Zeroable};

use crate::real::Real;

/// A value (component 0) with N − 1 directional derivatives (components 1 to N − 1).
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub struct Dual<const N: usize>(pub [f64; N]);

impl<const N: usize> Dual<N> {
    /// The number with value `f` and derivatives `factor` times those of `self`.
    #[inline(always)]
    fn chain(self, f: f64, factor: f64) -> Self {
        let mut r = self.0.map(|x| factor * x);
        r[0] = f;
        Self(r)
    }

    #[inline(always)]
    fn combine(self, other: Self, f: f64, by_self: f64, by_other: f64) -> Self {
        let mut r: [f64; N] = std::array::from_fn(|i| by_self * self.0[i] + by_other * other.0[i]);
        r[0] = f;
        Self(r)
    }
}

impl<const N: usize> PartialEq for Dual<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0[0] == other.0[0]
    }
}

impl<const N: usize> PartialOrd for Dual<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0[0].partial_cmp(&other.0[0])
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        self.combine(o, self.0[0] + o.0[0], 1.0, 1.0)
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        self.combine(o, self.0[0] - o.0[0], 1.0, -1.0)
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        self.combine(o, self.0[0] * o.0[0], o.0[0], self.0[0])
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        let q = self.0[0] / o.0[0];
        self.combine(o, q, 1.0 / o.0[0], -q / o.0[0])
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        self.chain(-self.0[0], -1.0)
    }
}

impl<const N: usize> Real for Dual<N> {
    const EPSILON: f64 = f64::EPSILON;
    const INTEGERS: f64 = f64::INTEGERS;
    const HAS_DERIVATIVES: bool = true;
    type Shared = [AtomicU64; N];
    #[inline(always)]
    fn has_sign(self) -> bool {
        self.0[0].is_sign_negative()
    }
    #[inline(always)]
    fn low_bits(self) -> u32 {
        self.0[0].low_bits()
    }
    #[inline(always)]
    fn share(self) -> Self::Shared {
        self.0.map(f64::share)
    }
    #[inline(always)]
    fn load(shared: &Self::Shared) -> Self {
        Self(std::array::from_fn(|i| f64::load(&shared[i])))
    }
    #[inline(always)]
    fn store(self, shared: &Self::Shared) {
        for (x, shared) in self.0.into_iter().zip(shared) {
            x.store(shared);
        }
    }
    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        let mut r = [0.0; N];
        r[0] = x;
        Self(r)
    }
    #[inline(always)]
    fn value(self) -> f64 {
        self.0[0]
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let root = self.0[0].sqrt();
        self.chain(root, 0.5 / root)
    }
    fn derivative_distance(self, other: Self) -> f64 {
        let largest = self.0[1..].iter().fold(1e-300f64, |a, x| a.max(x.abs()));
        let pairs = self.0[1..].iter().zip(&other.0[1..]);
        pairs.fold(0.0f64, |d, (a, b)| d.max((a - b).abs())) / largest
    }
    fn with_value(mut self, x: f64) -> Self {
        self.0[0] = x;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Derivatives of sqrt(x y − x / y) against the analytic ones.
    #[test]
    fn derivatives_of_a_composed_function() {
        let (x, y) = (1.7, 2.3);
        let (dx, dy) = (Dual([x, 1.0, 0.0]), Dual([y, 0.0, 1.0]));
        let f = (dx * dy - dx / dy).sqrt();
        let value: f64 = (x * y - x / y).sqrt();
        assert!((f.0[0] - value).abs() < 1e-15);
        assert!((f.0[1] - (y - 1.0 / y) / (2.0 * value)).abs() < 1e-15);
        assert!((f.0[2] - (x + x / (y * y)) / (2.0 * value)).abs() < 1e-15);
    }
}
