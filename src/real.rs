//! Number types of the kernels: `f32`, `f64` and dual numbers share one formula.

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

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

    /// A number that threads share. Loads and stores are plain ones: what orders them is a barrier.
    type Shared: Send + Sync;

    /// Whether numbers of this type carry derivatives.
    const HAS_DERIVATIVES: bool = false;

    /// Nearest number of this type, without derivatives.
    fn from_f64(x: f64) -> Self;

    /// Value, without derivatives.
    fn value(self) -> f64;

    /// 2^m, m the bits of the fraction: a small integer added to it is in the lowest bits of the sum.
    /// (Integers as numbers of this type, so that a SIMD loop stays in one type.)
    const INTEGERS: f64;

    /// The lowest bits of the number.
    fn low_bits(self) -> u32;

    /// Whether the sign is set, that of −0, too.
    fn has_sign(self) -> bool;

    /// Square root.
    fn sqrt(self) -> Self;

    /// The number as threads share it.
    fn share(self) -> Self::Shared;

    /// The shared number as it is now.
    fn load(shared: &Self::Shared) -> Self;

    /// Replaces the shared number.
    fn store(self, shared: &Self::Shared);

    /// Largest relative difference of the derivatives (0 without).
    fn derivative_distance(self, _other: Self) -> f64 {
        0.0
    }

    /// The number with value `x` and its own derivatives.
    fn with_value(self, x: f64) -> Self {
        Self::from_f64(x)
    }

    /// The smaller of two (the second where they are equal or one is NaN).
    #[inline(always)]
    fn least(self, other: Self) -> Self {
        if self < other { self } else { other }
    }
}

macro_rules! float {
    ($t:ty, $atomic:ty, $integers:expr) => {
        impl Real for $t {
            type Shared = $atomic;
            const EPSILON: f64 = <$t>::EPSILON as f64;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn value(self) -> f64 {
                self as f64
            }
            const INTEGERS: f64 = $integers;
            #[inline(always)]
            fn low_bits(self) -> u32 {
                self.to_bits() as u32
            }
            #[inline(always)]
            fn has_sign(self) -> bool {
                self.is_sign_negative()
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$t>::sqrt(self)
            }
            #[inline(always)]
            fn share(self) -> Self::Shared {
                <$atomic>::new(self.to_bits())
            }
            #[inline(always)]
            fn load(shared: &Self::Shared) -> Self {
                <$t>::from_bits(shared.load(Ordering::Relaxed))
            }
            #[inline(always)]
            fn store(self, shared: &Self::Shared) {
                shared.store(self.to_bits(), Ordering::Relaxed);
            }
        }
    };
}
float!(f32, AtomicU32, 8_388_608.0);
float!(f64, AtomicU64, 4_503_599_627_370_496.0);

/// Floating point of the hardware, as the cell models need it.
pub trait Float: Real {
    /// 1.5·2ᵐ, m the bits of the fraction: x + MAGIC has the integer nearest to x in its lowest bits.
    const MAGIC: f64;

    /// Far below the rounding of 1 and far above denormals, which are slow on many machines.
    const TINY: f64;

    /// a·b + c, rounded once.
    fn fused(a: Self, b: Self, c: Self) -> Self;

    /// self·2ⁿ for `magic_n` = MAGIC + n; nothing guards against overflow.
    fn times_power_of_two(self, magic_n: Self) -> Self;
}

impl Float for f32 {
    const MAGIC: f64 = 12_582_912.0;
    const TINY: f64 = 1e-30;
    #[inline(always)]
    fn fused(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    // Shifts and additions of integers exist at every SIMD level, unlike conversions.
    #[inline(always)]
    fn times_power_of_two(self, magic_n: f32) -> f32 {
        f32::from_bits(self.to_bits().wrapping_add(magic_n.to_bits() << 23))
    }
}

impl Float for f64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    const TINY: f64 = 1e-290;
    #[inline(always)]
    fn fused(a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }
    #[inline(always)]
    fn times_power_of_two(self, magic_n: f64) -> f64 {
        f64::from_bits(self.to_bits().wrapping_add(magic_n.to_bits() << 52))
    }
}

/// How a kernel computes a·b + c: rounded once where the SIMD level has the instruction, twice
/// where it has not. All arithmetic of a level is the same everywhere, to the last bit.
pub trait Arithmetic: Copy + Send + Sync + 'static {
    /// a·b + c.
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T;

    /// c − a·b.
    fn neg_mul_add<T: Float>(a: T, b: T, c: T) -> T;
}

/// One rounding: AVX2 and AVX-512, CUDA.
#[derive(Debug, Clone, Copy)]
pub struct Fused;

/// Two roundings: the baseline.
#[derive(Debug, Clone, Copy)]
pub struct Separate;

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::fused(a, b, c)
    }
    #[inline(always)]
    fn neg_mul_add<T: Float>(a: T, b: T, c: T) -> T {
        T::fused(-a, b, c)
    }
}

impl Arithmetic for Separate {
    #[inline(always)]
    fn mul_add<T: Float>(a: T, b: T, c: T) -> T {
        a * b + c
    }
    #[inline(always)]
    fn neg_mul_add<T: Float>(a: T, b: T, c: T) -> T {
        c - a * b
    }
}
