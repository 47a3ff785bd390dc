//! An axis: what it shows, its range, its marks.

use super::ticks::{self, Tick};

/// An axis with its unit in the label: "time (ms)".
#[derive(Debug, Clone)]
pub struct Axis {
    pub label: String,
    pub low: f64,
    pub high: f64,
    pub logarithmic: bool,
    /// Runs downwards or to the left.
    pub reversed: bool,
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// An axis over exactly [low, high].
    pub fn over(label: impl Into<String>, low: f64, high: f64) -> Self {
        Self {
            label: label.into(),
            low,
            high,
            logarithmic: false,
            reversed: false,
            ticks: ticks::linear(low, high, 8),
        }
    }

    /// An axis over the finite `values` and `also`, with a little room at both ends.
    pub fn around(label: impl Into<String>, values: &[f64], also: &[f64]) -> Self {
        let [low, high] = bounds(values.iter().chain(also).copied());
        let room = match high - low {
            0.0 => 0.5 * low.abs().max(1.0),
            extent => 0.04 * extent,
        };
        Self::over(label, low - room, high + room)
    }

    /// A logarithmic axis over the positive `values`; of 1 to 10 where there are none.
    pub fn logarithmic(label: impl Into<String>, values: &[f64]) -> Self {
        let positive = values.iter().copied().filter(|v| *v > 0.0);
        let [mut low, mut high] = bounds(positive);
        if low <= 0.0 {
            [low, high] = [1.0, 10.0];
        }
        let room = (high / low).powf(0.04).max(1.1);
        let (low, high) = (low / room, high * room);
        Self {
            label: label.into(),
            low,
            high,
            logarithmic: true,
            reversed: false,
            ticks: ticks::logarithmic(low, high, 8),
        }
    }

    /// With marks at these places alone.
    pub fn with_ticks(mut self, ticks: impl Iterator<Item = (f64, String)>) -> Self {
        self.ticks = ticks.map(|(at, label)| Tick { at, label }).collect();
        self
    }

    /// Where `value` lies, 0 to 1.
    pub fn position(&self, value: f64) -> f64 {
        let along = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if self.reversed { 1.0 - along } else { along }
    }

    /// Whether the axis can show `value`.
    pub fn shows(&self, value: f64) -> bool {
        value.is_finite() && (-1e-9..=1.0 + 1e-9).contains(&self.position(value))
    }
}

/// Least and largest finite value; 0 and 1 where there is none.
pub fn bounds(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let finite = values.filter(|v| v.is_finite());
    let [low, high] = finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
        [low.min(v), high.max(v)]
    });
    if low > high { [0.0, 1.0] } else { [low, high] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values() {
        let axis = Axis::around("t (ms)", &[0.0, f64::NAN, 100.0], &[]);
        assert!((axis.low + 4.0).abs() < 1e-12 && (axis.high - 104.0).abs() < 1e-12);
        assert!((axis.position(50.0) - 0.5).abs() < 1e-12);
        assert!(axis.shows(100.0) && !axis.shows(105.0) && !axis.shows(f64::NAN));
        let axis = Axis::logarithmic("h", &[1e-12, 0.0, 1e-2]);
        assert!((axis.position(1e-7) - 0.5).abs() < 1e-12);
        assert!(!axis.shows(0.0), "a logarithmic axis has no zero");
    }
}
