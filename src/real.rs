//! Number types of the kernels: `f32`, `f64` and dual numbers share one formula.

use std::ops::{Add, Div, Mul, Neg, Sub};

use bytemuck::Pod;

/// A real number as the kernels see it. Comparison is by value (a dual number ignores its
/// derivatives there).
pub trait Real:
    Pod
    + Send
    + Sync
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Distance from 1 to the next larger number.
    const EPSILON: f64;

    /// Nearest number of this type, without derivatives.
    fn from_f64(x: f64) -> Self;

    /// Value, without derivatives.
    fn value(self) -> f64;

    /// Square root.
    fn sqrt(self) -> Self;

    /// The smaller of two (the second where they are equal or one is NaN).
    #[inline(always)]
    fn least(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
}

macro_rules! float {
    ($t:ty) => {
        impl Real for $t {
            const EPSILON: f64 = <$t>::EPSILON as f64;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn value(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
        }
    };
}
float!(f32);
float!(f64);
