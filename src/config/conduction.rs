//! Section `[conduction]`: speeds of the wave.

use serde::{Deserialize, Serialize};

use super::schema::{Key, Kind, Range, Section};

/// Section `[conduction]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conduction {
    /// Absent: the mesh file's velocity tensor. Both given is an error of whoever reads the mesh.
    pub speed: Option<Speed>,
}

/// Speeds of the wave in healthy tissue (γ = 1), mm/ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Speed {
    /// The same in all directions: M = c² I.
    Isotropic(f64),
    /// M = c_f² f fᵀ + c_s² s sᵀ + c_n² n nᵀ.
    Orthotropic(Orthotropic),
}

/// Speeds along fibre, sheet and normal, mm/ms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orthotropic {
    pub fibre: f64,
    pub sheet: f64,
    pub normal: f64,
}

pub const SECTION: Section = Section {
    name: "conduction",
    doc: "Speed of the wave where gamma is 1.",
    keys: &[
        Key::new(
            "speed",
            Kind::Number(Range::Positive),
            "the same speed in all directions",
        )
        .unit("mm/ms")
        .absent("the mesh file's velocity_tensor; not both"),
        Key::new(
            "speed.fibre",
            Kind::Number(Range::Positive),
            "speed along the fibres",
        )
        .unit("mm/ms")
        .required(),
        Key::new(
            "speed.sheet",
            Kind::Number(Range::Positive),
            "speed across them, in the sheet",
        )
        .unit("mm/ms")
        .required(),
        Key::new(
            "speed.normal",
            Kind::Number(Range::Positive),
            "speed normal to the sheet",
        )
        .unit("mm/ms")
        .required(),
    ],
    alternatives: &[],
    defaults: String::new,
};
