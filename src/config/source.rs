//! List `[[source]]`: where waves start, and when.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Origins;
use super::schema::{Alternatives, Key, Kind, Range, Section};
use crate::error::Result;

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    #[serde(flatten)]
    pub place: Place,
    /// Onset, ms.
    #[serde(default)]
    pub time: f64,
    /// Of a point: vertices within this radius start by the travel time from it; absent: the nearest
    /// vertex alone. In the unit of `[mesh]`.
    #[serde(default)]
    pub radius: Option<f64>,
    /// What of it an inversion finds.
    #[serde(default)]
    pub estimate: Vec<Unknown>,
}

/// What an inversion may find of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    Time,
    Point,
}

impl Source {
    /// Whether an inversion is to find `what`.
    pub fn estimates(&self, what: Unknown) -> bool {
        self.estimate.contains(&what)
    }

    /// Number of unknowns.
    pub fn unknowns(&self) -> usize {
        usize::from(self.estimates(Unknown::Time)) + 3 * usize::from(self.estimates(Unknown::Point))
    }

    /// Whether its onsets depend on γ or on unknowns.
    pub fn moves(&self) -> bool {
        self.radius.is_some() || self.unknowns() > 0
    }
}

/// A radius is that of a point, and the place that is found, too.
pub(super) fn validate(sources: &[Source], origins: &Origins) -> Result<()> {
    for (i, source) in sources.iter().enumerate() {
        let is_point = matches!(source.place, Place::Point(_));
        if source.radius.is_some() && !is_point {
            return Err(origins.error(
                &format!("source.{i}.radius"),
                "goes with a point only",
                "give source.point, or remove the radius",
            ));
        }
        if source.estimates(Unknown::Point) && source.radius.is_none() {
            return Err(origins.error(
                &format!("source.{i}.estimate"),
                "a place is found from a point with a radius only",
                "give source.point, the first guess, and source.radius, a few edges of the mesh",
            ));
        }
    }
    Ok(())
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
        Key::new(
            "#.radius",
            Kind::Number(Range::Positive),
            "of a point: vertices within start by the travel time from it, straight, with the mean \
             metric around it",
        )
        .unit("mesh.unit")
        .absent("the nearest vertex alone"),
        Key::new(
            "#.estimate",
            Kind::List(&Kind::Choice(&["time", "point"])),
            "what `invert` finds of the source beside gamma; a point needs a radius",
        )
        .absent("nothing"),
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
