//! Section `[gradient]`: what `isochrone gradient` writes beside df/dγ.

use serde::{Deserialize, Serialize};

use super::schema::{Key, Kind, Section};
use super::table;

/// Section `[gradient]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientOptions {
    /// dφ/dγ (n × k).
    pub jacobian: bool,
    /// df/dM per tetrahedron.
    pub tensor: bool,
    /// Error curves of finite differences.
    pub check: bool,
}

pub const SECTION: Section = Section {
    name: "gradient",
    doc: "What `isochrone gradient` writes beside df/dgamma.",
    keys: &[
        Key::new(
            "jacobian",
            Kind::Boolean,
            "dphi/dgamma of every vertex and domain",
        ),
        Key::new("tensor", Kind::Boolean, "df/dM of every tetrahedron"),
        Key::new(
            "check",
            Kind::Boolean,
            "errors of one-sided and central differences for h = 1e-1 to 1e-12",
        ),
    ],
    alternatives: &[],
    defaults: || table(&GradientOptions::default()),
};
