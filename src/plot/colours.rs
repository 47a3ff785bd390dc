//! Colours: maps whose steps look equally large, and colours that tell groups apart.

use colorous::{CIVIDIS, Gradient, INFERNO, MAGMA, PLASMA, TABLEAU10, VIRIDIS};

/// Red, green, blue.
pub type Colour = [u8; 3];

pub const WHITE: Colour = [255; 3];
pub const BLACK: Colour = [0; 3];
/// Where there is no value.
pub const NO_VALUE: Colour = [190; 3];

/// A perceptually uniform map of [0, 1] to colours (S. van der Walt and N. Smith for matplotlib;
/// cividis: J. Nuñez et al., PLoS ONE 13 (2018) e0199239).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColourMap {
    #[default]
    Viridis,
    Cividis,
    Inferno,
    Magma,
    Plasma,
}

impl ColourMap {
    /// The colour of `t`, which is taken into [0, 1].
    pub fn at(self, t: f64) -> Colour {
        let gradient: Gradient = match self {
            Self::Viridis => VIRIDIS,
            Self::Cividis => CIVIDIS,
            Self::Inferno => INFERNO,
            Self::Magma => MAGMA,
            Self::Plasma => PLASMA,
        };
        let colour = gradient.eval_continuous(t.clamp(0.0, 1.0));
        [colour.r, colour.g, colour.b]
    }
}

/// The colour of group `i`: Tableau's ten, then the same lighter, and darker.
pub fn of_group(i: usize) -> Colour {
    let colour = TABLEAU10[i % TABLEAU10.len()];
    let colour = [colour.r, colour.g, colour.b];
    match (i / TABLEAU10.len()) % 3 {
        0 => colour,
        1 => mix(colour, WHITE, 0.5),
        _ => mix(colour, BLACK, 0.35),
    }
}

/// `a` with a share `t` of `b`.
pub fn mix(a: Colour, b: Colour, t: f64) -> Colour {
    std::array::from_fn(|i| {
        let (a, b) = (f64::from(a[i]), f64::from(b[i]));
        (a + t.clamp(0.0, 1.0) * (b - a)).round() as u8
    })
}

/// Values and their colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColourScale {
    pub map: ColourMap,
    pub low: f64,
    pub high: f64,
    pub logarithmic: bool,
    /// Whether there are values below and above the ends, which have the colours of these.
    pub beyond: [bool; 2],
}

impl ColourScale {
    /// From the least to the largest finite value, or over the `range` given; where all are the
    /// same, around it. Logarithmic only where all are positive.
    pub fn of(
        map: ColourMap,
        values: impl Iterator<Item = f64>,
        range: Option<[f64; 2]>,
        logarithmic: bool,
    ) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let [least, most] = finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| {
            [low.min(v), high.max(v)]
        });
        let [mut low, mut high] = range.unwrap_or([least, most]);
        let beyond = [least < low, most > high];
        if low > high {
            [low, high] = [0.0, 1.0];
        }
        let logarithmic = logarithmic && low > 0.0;
        if high - low <= 1e-6 * low.abs().max(high.abs()) {
            let half = if low == 0.0 { 0.5 } else { 0.1 * low.abs() };
            [low, high] = [low - half, high + half];
        }
        Self {
            map,
            low,
            high,
            logarithmic,
            beyond,
        }
    }

    /// Where `value` lies between the ends, 0 to 1.
    pub fn position(&self, value: f64) -> f64 {
        if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// The colour of `value`; grey where it is not finite.
    pub fn colour(&self, value: f64) -> Colour {
        if value.is_finite() {
            self.map.at(self.position(value))
        } else {
            NO_VALUE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_viridis_are_those_of_matplotlib() {
        // matplotlib's viridis(0.0), viridis(0.5) and viridis(1.0), as bytes.
        for (t, [r, g, b]) in [
            (0.0, [68, 1, 84]),
            (0.5, [33, 145, 140]),
            (1.0, [253, 231, 37]),
        ] {
            let [x, y, z] = ColourMap::Viridis.at(t);
            let close = |a: u8, b: u8| a.abs_diff(b) <= 2;
            assert!(
                close(x, r) && close(y, g) && close(z, b),
                "{t}: {:?}",
                [x, y, z]
            );
        }
    }

    #[test]
    fn a_scale_spans_the_finite_values() {
        let values = [3.0, f64::INFINITY, 1.0, f64::NAN, 100.0];
        let scale = ColourScale::of(ColourMap::Viridis, values.into_iter(), None, true);
        assert_eq!([scale.low, scale.high], [1.0, 100.0]);
        assert!((scale.position(10.0) - 0.5).abs() < 1e-12);
        assert_eq!(scale.colour(f64::INFINITY), NO_VALUE);
        assert_eq!(scale.colour(1e9), ColourMap::Viridis.at(1.0));
        assert_eq!(scale.beyond, [false; 2]);
        let within = |range| {
            ColourScale::of(ColourMap::Viridis, values.into_iter(), Some(range), false).beyond
        };
        assert_eq!(within([1.0, 50.0]), [false, true]);
        assert_eq!(within([2.0, 100.0]), [true, false]);
        let one = ColourScale::of(ColourMap::Viridis, [2.0].into_iter(), None, false);
        assert!((one.position(2.0) - 0.5).abs() < 1e-12);
        let none = ColourScale::of(ColourMap::Viridis, std::iter::empty(), None, false);
        assert_eq!([none.low, none.high], [0.0, 1.0]);
    }

    #[test]
    fn thirty_groups_have_thirty_colours() {
        let mut all: Vec<Colour> = (0..30).map(of_group).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 30);
    }
}
