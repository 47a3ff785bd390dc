//! Where an axis has its marks, and what stands there.

/// A mark of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub label: String,
}

/// The least of 1, 2 and 5 times a power of ten with which [low, high] has at most `most` steps.
pub fn step(low: f64, high: f64, most: usize) -> f64 {
    let least = (high - low) / most.max(1) as f64;
    if !(least > 0.0 && least.is_finite()) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let fits = factors.iter().find(|f| *f * power >= least * (1.0 - 1e-9));
    fits.unwrap_or(&10.0) * power
}

/// At most `most` + 1 marks at multiples of [`step`].
pub fn linear(low: f64, high: f64, most: usize) -> Vec<Tick> {
    multiples(low, high, step(low, high, most))
}

/// Marks at multiples of `step`.
pub fn multiples(low: f64, high: f64, step: f64) -> Vec<Tick> {
    let (first, last) = (
        (low / step - 1e-9).ceil() as i64,
        (high / step + 1e-9).floor() as i64,
    );
    // Beyond what floats can count there are no marks.
    if !(low.is_finite() && high.is_finite() && (high - low).is_finite()) {
        return Vec::new();
    }
    let label = |at: f64| number(at, step, low.abs().max(high.abs()));
    let tick = |i: i64| Tick {
        at: i as f64 * step,
        label: label(i as f64 * step),
    };
    (first..=last).map(tick).collect()
}

/// Marks for a logarithmic axis, 0 < low < high: powers of ten, or with their multiples by 2 and 5
/// where there are few of them; those of a linear axis within less than a factor of four, or where
/// there would be fewer than three.
pub fn logarithmic(low: f64, high: f64, most: usize) -> Vec<Tick> {
    let (first, last) = (low.log10(), high.log10());
    let decades = last - first;
    if decades < 0.6 {
        return linear(low, high, most);
    }
    let within = |x: f64| x >= low * (1.0 - 1e-9) && x <= high * (1.0 + 1e-9);
    let powers = first.floor() as i32..=last.ceil() as i32;
    if decades < 3.0 {
        let all = powers.flat_map(|n| [1.0, 2.0, 5.0].map(|f| f * 10f64.powi(n)));
        let tick = |at: f64| Tick {
            at,
            label: number(at, at, at),
        };
        let marks: Vec<Tick> = all.filter(|x| within(*x)).map(tick).collect();
        return match marks.len() {
            0..3 => linear(low, high, most),
            _ => marks,
        };
    }
    let stride = (decades / most.max(1) as f64).ceil().max(1.0) as i32;
    let all = powers.filter(|n| n.rem_euclid(stride) == 0);
    let tick = |n: i32| Tick {
        at: 10f64.powi(n),
        label: power_of_ten(n),
    };
    all.map(tick).filter(|tick| within(tick.at)).collect()
}

/// "10⁻³".
pub fn power_of_ten(n: i32) -> String {
    match n {
        0 => "1".into(),
        1 => "10".into(),
        _ => format!("10{}", superscript(n)),
    }
}

fn superscript(n: i32) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let sign = |c: char| c.to_digit(10).map_or('⁻', |d| digits[d as usize]);
    n.to_string().chars().map(sign).collect()
}

/// `x` with as many digits as steps of `step` need; "2·10⁶" on an axis up to `largest` ≥ 10⁵.
fn number(x: f64, step: f64, largest: f64) -> String {
    let minus = |text: String| text.replace('-', "−");
    if x == 0.0 {
        return "0".into();
    }
    if !(1e-3..0.999e5).contains(&largest) {
        let power = largest.log10().floor() as i32;
        let (mantissa, of_step) = (x / 10f64.powi(power), step / 10f64.powi(power));
        let text = minus(format!("{:.*}", decimals(of_step), mantissa));
        return match text.as_str() {
            "1" => power_of_ten(power),
            _ => format!("{text}·{}", power_of_ten(power)),
        };
    }
    minus(format!("{x:.*}", decimals(step)))
}

/// Digits behind the point of multiples of `step`.
fn decimals(step: f64) -> usize {
    (0..12)
        .find(|n| {
            let scaled = step * 10f64.powi(*n);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> String {
        let all: Vec<String> = ticks.into_iter().map(|t| t.label).collect();
        all.join(" ")
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(labels(linear(0.0, 146.5, 8)), "0 20 40 60 80 100 120 140");
        assert_eq!(labels(linear(-0.05, 1.05, 5)), "0 0.5 1.0");
        assert_eq!(labels(linear(-3.0, 3.0, 6)), "−3 −2 −1 0 1 2 3");
        assert_eq!(labels(linear(0.0, 0.7, 3)), "0 0.5");
        assert_eq!(labels(linear(0.0, 3e6, 3)), "0 10⁶ 2·10⁶ 3·10⁶");
        assert_eq!(labels(linear(2.0, 2.0, 3)), "2", "an empty range");
        assert!(linear(-1e308, 1e308, 3).is_empty(), "too wide to count");
        assert!((step(0.0, 0.35, 7) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn marks_of_a_logarithmic_axis_are_powers_or_their_multiples() {
        assert_eq!(labels(logarithmic(0.15, 1.2, 6)), "0.2 0.5 1");
        assert_eq!(
            labels(logarithmic(1e-12, 0.1, 6)),
            "10⁻¹² 10⁻¹⁰ 10⁻⁸ 10⁻⁶ 10⁻⁴ 10⁻²"
        );
        assert_eq!(labels(logarithmic(1.0, 64.0, 8)), "1 2 5 10 20 50");
        assert_eq!(
            labels(logarithmic(0.45, 1.9, 6)),
            "0.5 1.0 1.5",
            "not 0.5 1"
        );
        assert_eq!(labels(logarithmic(0.9, 1.1, 4)), "0.90 0.95 1.00 1.05 1.10");
    }
}
