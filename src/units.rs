//! Units: millimetres and milliseconds inside the program; others only where input is read.

use serde::{Deserialize, Serialize};

/// Unit of length of coordinates in a file or a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LengthUnit {
    Um,
    Mm,
    Cm,
    M,
}

impl LengthUnit {
    /// Millimetres in one of this unit.
    pub fn in_mm(self) -> f64 {
        match self {
            LengthUnit::Um => 1e-3,
            LengthUnit::Mm => 1.0,
            LengthUnit::Cm => 10.0,
            LengthUnit::M => 1000.0,
        }
    }

    /// Name as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            LengthUnit::Um => "um",
            LengthUnit::Mm => "mm",
            LengthUnit::Cm => "cm",
            LengthUnit::M => "m",
        }
    }
}

/// "1 rank", "2 ranks".
pub fn counted(n: usize, name: &str) -> String {
    format!("{n} {name}{}", if n == 1 { "" } else { "s" })
}
