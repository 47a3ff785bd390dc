//! ½(1 + tanh y) of the kernels against independent evaluations in higher precision.

use isochrone::ionic::logistic::Logistic;
use isochrone::real::{Arithmetic, Float, Fused, Separate};

/// hi + lo, about 32 digits.
#[derive(Clone, Copy)]
struct Pair(f64, f64);

impl Pair {
    fn sum(a: f64, b: f64) -> Pair {
        let s = a + b;
        let t = s - a;
        Pair(s, (a - (s - t)) + (b - t))
    }

    fn plus(self, b: Pair) -> Pair {
        let Pair(s, e) = Pair::sum(self.0, b.0);
        Pair::sum(s, e + self.1 + b.1)
    }

    fn times(self, b: Pair) -> Pair {
        let p = self.0 * b.0;
        let e = self.0.mul_add(b.0, -p);
        Pair::sum(p, e + self.0 * b.1 + self.1 * b.0)
    }

    fn over(self, b: Pair) -> Pair {
        let q = self.0 / b.0;
        let rest = self.plus(b.times(Pair(-q, 0.0)));
        Pair::sum(q, (rest.0 + rest.1) / b.0)
    }

    /// Taylor series at x/2¹², squared twelve times: no reduction by ln 2, unlike the kernels.
    fn exp(x: f64) -> Pair {
        let x = Pair(x / 4096.0, 0.0);
        let mut sum = Pair(1.0, 0.0);
        for k in (1..=18).rev() {
            sum = Pair(1.0, 0.0).plus(x.times(sum).over(Pair(f64::from(k), 0.0)));
        }
        (0..12).fold(sum, |power, _| power.times(power))
    }
}

/// ½(1 + tanh y) = 1/(1 + exp(−2y)).
fn exact(y: f64) -> Pair {
    let one = Pair(1.0, 0.0);
    one.over(one.plus(Pair::exp(-2.0 * y)))
}

#[test]
fn the_reference_has_the_published_digits() {
    // tanh ½ = 0.46211715726000975850231848364367…, e = 2.71828182845904523536028747135266…
    let Pair(hi, lo) = exact(0.5).plus(exact(0.5)).plus(Pair(-1.0, 0.0));
    assert_eq!(hi, 0.462_117_157_260_009_76);
    assert!((lo - (-1.8e-18)).abs() < 3e-17, "{lo:e}");
    let Pair(hi, lo) = Pair::exp(1.0);
    assert_eq!(hi, std::f64::consts::E);
    assert!((lo - 1.445_646_891_729_250_2e-16).abs() < 1e-28, "{lo:e}");
}

/// Largest error of the function over a range, and where; `error(y, value)`.
fn largest<T: Float, A: Arithmetic>(
    points: impl Iterator<Item = f64>,
    error: impl Fn(f64, f64) -> f64,
) -> (f64, f64) {
    let f = Logistic::<T>::new(2.0, 0.0, 1.0);
    points
        .map(|y| T::from_f64(y))
        .map(|y| (error(y.value(), f.value::<A>(y).value()), y.value()))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap()
}

fn range(low: f64, high: f64, count: usize) -> impl Iterator<Item = f64> {
    (0..=count).map(move |i| low + (high - low) * i as f64 / count as f64)
}

#[test]
fn in_f32_tanh_is_within_5e_7() {
    fn check<A: Arithmetic>() {
        let reference = |y: f64, value: f64| (value - 0.5 * (1.0 + y.tanh())).abs();
        let (error, y) = largest::<f32, A>(range(-12.0, 12.0, 4_000_000), reference);
        println!("f32: {error:e} at {y}");
        assert!(error < 2.5e-7, "{error:e} at {y}");
        let (error, y) = largest::<f32, A>(range(-120.0, 120.0, 400_000), reference);
        assert!(error < 2.5e-7, "{error:e} at {y}");
    }
    check::<Fused>();
    check::<Separate>();
}

#[test]
fn in_f64_it_is_within_4_ulp() {
    fn check<A: Arithmetic>() {
        let ulps = |y: f64, value: f64| {
            let Pair(hi, lo) = exact(y);
            let ulp = hi.next_up() - hi;
            ((value - hi) - lo).abs() / ulp
        };
        for half in [1.0, 20.0, 310.0] {
            let (error, y) = largest::<f64, A>(range(-half, half, 200_000), ulps);
            println!("f64: {error} ulp at {y}");
            assert!(error <= 4.0, "{error} ulp at {y}");
        }
    }
    check::<Fused>();
    check::<Separate>();
}

#[test]
fn fused_and_separate_arithmetic_differ_by_rounding_only() {
    let f = Logistic::<f32>::new(2.0, 0.0, 1.0);
    let difference = range(-50.0, 50.0, 1_000_000).map(|y| {
        let y = y as f32;
        (f.value::<Fused>(y) - f.value::<Separate>(y)).abs()
    });
    let difference = difference.fold(0.0, f32::max);
    println!("f32: {difference:e}");
    assert!(difference < 2e-7, "{difference:e}");
    let f = Logistic::<f64>::new(2.0, 0.0, 1.0);
    let difference = range(-50.0, 50.0, 1_000_000).map(|y| {
        let (one, two) = (f.value::<Fused>(y), f.value::<Separate>(y));
        (one - two).abs() / two
    });
    let difference = difference.fold(0.0, f64::max);
    println!("f64: {difference:e} relative");
    assert!(difference < 6.0 * f64::EPSILON, "{difference:e}");
}

/// The slow current's function as the models use it: any slope, centre and scale.
#[test]
fn slope_centre_and_scale_are_folded_in() {
    fn check<T: Float, A: Arithmetic>(bound: f64) {
        for (slope, centre) in [(20.0, 0.85), (30.0, 0.45), (30.0, 0.7)] {
            for scale in [1.0, 26.5 / 0.02, 45.0 / 1e-3, 29.0 / 1e-6, 3e-4, 1e12] {
                let f = Logistic::<T>::new(slope, centre, scale);
                for u in range(-0.5, 1.5, 20_000) {
                    let u = T::from_f64(u);
                    let exact = 1.0 / (1.0 + (-slope * (u.value() - centre)).exp());
                    let error = f.value::<A>(u).value() * scale - exact;
                    assert!(
                        error.abs() < bound,
                        "slope {slope}, centre {centre}, scale {scale}: {error:e} at {}",
                        u.value()
                    );
                }
            }
        }
    }
    // The function's own bound, and half a rounding of the argument's offset.
    check::<f32, Fused>(5e-7);
    check::<f32, Separate>(7e-7);
    check::<f64, Fused>(2e-15);
    check::<f64, Separate>(2e-15);
}

#[test]
fn it_is_finite_for_every_finite_u_and_keeps_nan() {
    fn check<T: Float, A: Arithmetic>(largest: f64) {
        for scale in [1e-12, 1.0, 1e12] {
            let f = Logistic::<T>::new(30.0, 0.5, scale);
            for u in [0.0, 1.0, 4.0, 10.0, 1e3, 1e9, 1e30, largest] {
                let (low, high) = (
                    f.value::<A>(T::from_f64(-u)).value() * scale,
                    f.value::<A>(T::from_f64(u)).value() * scale,
                );
                assert!((0.0..1.000_001).contains(&low), "{low} at {}", -u);
                assert!((0.0..1.000_001).contains(&high), "{high} at {u}");
                assert!(u < 4.0 || low < 1e-23 && high > 0.999_999);
            }
            assert!(f.value::<A>(T::from_f64(f64::NAN)).value().is_nan());
        }
    }
    check::<f32, Fused>(f64::from(f32::MAX));
    check::<f32, Separate>(f64::from(f32::MAX));
    check::<f64, Fused>(f64::MAX);
    check::<f64, Separate>(f64::MAX);
}
