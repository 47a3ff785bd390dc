//! List `[[source]]`: where waves start, and when.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::schema::{Alternatives, Key, Kind, Range, Section};

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    #[serde(flatten)]
    pub place: Place,
    /// Onset, ms.
    #[serde(default)]
    pub time: f64,
}

/// Vertices that a source holds; coordinates in the unit of `[mesh]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// These vertices, numbered from 0 in the file's order.
    Vertices(Vec<u64>),
    /// The vertex nearest to this point.
    Point([f64; 3]),
    /// All vertices in this ball.
    Sphere(Sphere),
    /// All vertices of tetrahedra with this tag.
    Tag(i32),
    /// The vertices of an openCARP list (`.vtx`).
    File(PathBuf),
}

/// Ball, in the unit of `[mesh]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sphere {
    pub centre: [f64; 3],
    pub radius: f64,
}

pub const SECTION: Section = Section {
    name: "source",
    doc: "Sources, one [[source]] each: where waves start, and when.",
    keys: &[
        Key::new(
            "#.vertices",
            Kind::List(&Kind::Integer(0)),
            "these vertices, numbered from 0 in the file's order",
        ),
        Key::new(
            "#.point",
            Kind::Point(Range::Any),
            "the vertex nearest to this point",
        )
        .unit("mesh.unit"),
        Key::new(
            "#.sphere.centre",
            Kind::Point(Range::Any),
            "centre of a ball of vertices",
        )
        .unit("mesh.unit")
        .required(),
        Key::new(
            "#.sphere.radius",
            Kind::Number(Range::Positive),
            "radius of that ball",
        )
        .unit("mesh.unit")
        .required(),
        Key::new(
            "#.tag",
            Kind::Tag,
            "vertices of the tetrahedra with this tag",
        ),
        Key::new(
            "#.file",
            Kind::Path,
            "the vertices listed in this file of openCARP's, .vtx",
        ),
        Key::new("#.time", Kind::Number(Range::Any), "onset")
            .unit("ms")
            .absent("0"),
    ],
    alternatives: &[Alternatives {
        groups: &[
            &["#.vertices"],
            &["#.point"],
            &["#.sphere"],
            &["#.tag"],
            &["#.file"],
        ],
        required: true,
    }],
    defaults: String::new,
};
