//! Options of the command line, and which pictures they change.

use crate::cli::PlotArgs;

/// An option that changes some pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    View,
    /// Several views side by side.
    Views,
    Cut,
    Isochrones,
    Colours,
    Range,
    Speed,
}

use Choice::{Colours, Cut, Isochrones, Range, Speed, View, Views};

/// What changes a picture of a surface in flat colours.
pub const SURFACE: &[Choice] = &[View, Views, Cut];
/// Of a surface in the colours of values.
pub const VALUES: &[Choice] = &[View, Views, Cut, Colours, Range];
/// Of a field that is smooth on a surface.
pub const FIELD: &[Choice] = &[View, Views, Cut, Isochrones, Colours, Range];
/// Of several surfaces, all from one side.
pub const ONE_VIEW: &[Choice] = &[View, Cut, Colours, Range];
/// Of the same in motion.
pub const IN_MOTION: &[Choice] = &[View, Cut, Colours, Range, Speed];
/// Of a field on a plane.
pub const PLANE_FIELD: &[Choice] = &[Isochrones, Colours, Range];
/// Of values on a plane.
pub const PLANE: &[Choice] = &[Colours, Range];
/// Of a plane in motion.
pub const PLANE_IN_MOTION: &[Choice] = &[Colours, Range, Speed];

impl Choice {
    fn option(self) -> &'static str {
        match self {
            View => "--view",
            Views => "--view (after the first)",
            Cut => "--cut",
            Isochrones => "--isochrones",
            Colours => "--colours",
            Range => "--range",
            Speed => "--speed",
        }
    }

    /// Those that the command line makes.
    pub fn made(args: &PlotArgs) -> Vec<Self> {
        let all = [
            (View, !args.views.is_empty()),
            (Views, args.views.len() > 1),
            (Cut, args.cut.is_some()),
            (Isochrones, args.isochrones.is_some()),
            (Colours, args.colours.is_some()),
            (Range, args.range.is_some()),
            (Speed, args.speed.is_some()),
        ];
        let made = all.into_iter().filter(|(_, made)| *made);
        made.map(|(choice, _)| choice).collect()
    }

    /// Names of the options in `made` that are none of `heeded`.
    pub fn idle(made: &[Self], heeded: &[Self]) -> Vec<&'static str> {
        let idle = made.iter().filter(|choice| !heeded.contains(choice));
        // Of a picture without views, the first says it all.
        let said = idle.filter(|choice| **choice != Views || heeded.contains(&View));
        said.map(|choice| choice.option()).collect()
    }
}
