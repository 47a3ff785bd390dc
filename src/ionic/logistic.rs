//! The logistic function ½(1 + tanh y) of the slow current: the most expensive part of a cell.
//!
//! With eˣ = 2ⁿ P(r)/P(−r), x = n ln 2 + r, |r| ≤ ½ ln 2 (P: the diagonal rational approximation,
//! whose numerator and denominator share their even part),
//!
//!   σ(−x) = 1/(1 + eˣ) = Q / (Q + 2ⁿP),    Q = P(−r)
//!
//! so that the one division of the logistic function is also that of the approximation, and the
//! caller's factors go into numerator and denominator. n is taken from the low bits of x + 1.5·2²³
//! (f64: 2⁵²) and shifted into the exponent by integer operations that every SIMD level has.
//!
//! Bounds (tested for both arithmetics): `f32` 2.5e-7 absolute, so tanh within 5e-7; `f64` 4 ulp,
//! down to values of 1e-270.

use crate::real::{Arithmetic, Float};

/// f32, with r in units of ln 2: P = r² + BETA r + ALPHA, minimax on |r| ≤ ½ (Remez; relative error
/// of 2ʳ 4.4e-7).
const ALPHA: f64 = 25.039_106_679_756_742;
const BETA: f64 = 8.677_838_838_059_728;

/// f64: P = (EVEN[0] + EVEN[1] r² + EVEN[2] r⁴) + r (ODD[0] + ODD[1] r² + r⁴), exact at the zeros of
/// the Chebyshev polynomial T₁₁ on |r| ≤ ½ ln 2 (relative error of eʳ 1e-17).
const EVEN: [f64; 3] = [
    30_265.234_190_234_583,
    3_362.703_577_268_071_5,
    30.015_013_193_330_68,
];
const ODD: [f64; 2] = [15_132.617_095_117_292, 420.300_364_040_995_2];

/// ln 2 in two parts: the first has trailing zeros, so that n·LN_2_HIGH is exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// u ↦ σ(slope (u − centre)) / scale, folded so that it costs one division and no multiplication
/// for the scale.
#[derive(Debug, Clone, Copy)]
pub struct Logistic<T> {
    slope: T,
    offset: T,
    magic: T,
    largest: T,
    scale: T,
}

impl<T: Float> Logistic<T> {
    /// Text of the twin for a device.
    pub const TWIN: (&'static str, &'static str) =
        ("ionic/logistic.cuh", include_str!("logistic.cuh"));

    /// The constants in the order of the twin's structure.
    pub(super) fn words(&self) -> [T; 5] {
        [
            self.slope,
            self.offset,
            self.magic,
            self.largest,
            self.scale,
        ]
    }

    /// Single precision: one reduction step, low degree.
    const SHORT: bool = T::EPSILON > 1e-10;

    /// u ↦ 1/(1 + exp(−slope (u − centre))) / scale, for 1e-12 ≤ scale ≤ 1e12.
    pub fn new(slope: f64, centre: f64, scale: f64) -> Self {
        // scale = 2^exponent · mantissa: the power goes in with n (no rounding), the rest in x.
        let exponent = scale.log2().floor().clamp(-40.0, 40.0);
        let mantissa = scale / exponent.exp2();
        let unit = if Self::SHORT {
            std::f64::consts::LOG2_E
        } else {
            1.0
        };
        // The offset follows the rounded slope: the centre stays where it is.
        let slope = T::from_f64(-slope * unit);
        Self {
            slope,
            offset: T::from_f64(-slope.value() * centre + mantissa.ln() * unit),
            magic: T::from_f64(T::MAGIC + exponent),
            largest: T::from_f64(if Self::SHORT { 80.0 } else { 640.0 }),
            scale: T::from_f64(scale),
        }
    }

    /// A function that is `T::TINY` everywhere.
    pub fn tiny() -> Self {
        Self {
            scale: T::from_f64(1.0 / T::TINY),
            ..Self::new(0.0, 0.0, 1.0)
        }
    }

    /// Numerator and denominator of the function at u. NaN where u is NaN, finite everywhere else.
    #[inline(always)]
    pub fn quotient<A: Arithmetic>(&self, u: T) -> (T, T) {
        let x = A::mul_add(u, self.slope, self.offset);
        // In this order NaN stays NaN.
        let x = if x > self.largest { self.largest } else { x };
        let x = if x < -self.largest { -self.largest } else { x };
        let (p, q, n) = if Self::SHORT {
            let n = x + self.magic;
            let r = x - (n - self.magic);
            let even = A::mul_add(r, r, T::from_f64(ALPHA));
            let beta = T::from_f64(BETA);
            (A::mul_add(r, beta, even), A::neg_mul_add(r, beta, even), n)
        } else {
            let n = A::mul_add(x, T::from_f64(std::f64::consts::LOG2_E), self.magic);
            let whole = n - self.magic;
            let r = A::neg_mul_add(whole, T::from_f64(LN_2_HIGH), x);
            let r = A::neg_mul_add(whole, T::from_f64(LN_2_LOW), r);
            let r2 = r * r;
            let even = A::mul_add(
                r2,
                A::mul_add(r2, T::from_f64(EVEN[2]), T::from_f64(EVEN[1])),
                T::from_f64(EVEN[0]),
            );
            let odd = A::mul_add(r2, r2 + T::from_f64(ODD[1]), T::from_f64(ODD[0]));
            (A::mul_add(r, odd, even), A::neg_mul_add(r, odd, even), n)
        };
        (q, A::mul_add(q, self.scale, p.times_power_of_two(n)))
    }

    /// The function at u.
    #[inline(always)]
    pub fn value<A: Arithmetic>(&self, u: T) -> T {
        let (numerator, denominator) = self.quotient::<A>(u);
        numerator / denominator
    }
}
