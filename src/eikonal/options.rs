//! Options of the forward solver: section `[eikonal]`.

use serde::{Deserialize, Serialize};

/// Floating-point type of the solution while it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
    #[default]
    F64,
}

/// Section `[eikonal]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EikonalOptions {
    /// Floating-point type of the solver; results are always written in f64.
    pub precision: Precision,
    /// Width of a bucket of the active list, ms; absent: chosen from the mesh.
    pub bucket_width: Option<f64>,
}
