//! Section `[mesh]`: where the tetrahedral mesh comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::schema::{Alternatives, Key, Kind, Range, Section};
use crate::mesh::generate::Generator;
use crate::units::LengthUnit;

/// The mesh of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshInput {
    #[serde(flatten)]
    pub origin: MeshOrigin,
    /// File with fibre vectors on points, for a mesh file without.
    pub fibres: Option<PathBuf>,
    /// Unit of the file's coordinates, of the generator's lengths and of all coordinates in the
    /// configuration; absent: the file format's own (`um` for CARP, else `mm`).
    pub unit: Option<LengthUnit>,
}

/// A file or a generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MeshOrigin {
    File(PathBuf),
    Generate(Generator),
}

const LENGTH: Kind = Kind::Number(Range::Positive);

pub const SECTION: Section = Section {
    name: "mesh",
    doc: "The tetrahedral mesh: a file or a generator.",
    keys: &[
        Key::new(
            "file",
            Kind::Path,
            "mesh file: .h5, .vtu, .vtk, or one of CARP's .pts .elem .lon",
        ),
        Key::new(
            "fibres",
            Kind::Path,
            "VTK file with the fibres of a mesh file that has none",
        ),
        Key::new(
            "unit",
            Kind::Choice(&["um", "mm", "cm", "m"]),
            "unit of the mesh and of all coordinates in the configuration",
        )
        .absent("um for CARP files, else mm"),
        Key::new(
            "generate.kind",
            Kind::Choice(&["slab", "ellipsoid", "biventricle"]),
            "shape of a generated mesh with fibres by rule",
        )
        .required(),
        Key::new(
            "generate.edge",
            Kind::Number(Range::Positive),
            "mean edge length",
        )
        .unit("mesh.unit")
        .required(),
        Key::new(
            "generate.size",
            Kind::Point(Range::Positive),
            "edge lengths x, y, z of a slab",
        )
        .unit("mesh.unit"),
        Key::new(
            "generate.left_ventricle.radius",
            LENGTH,
            "semi-axis of the left endocardium across",
        )
        .unit("mesh.unit")
        .absent("20 mm"),
        Key::new(
            "generate.left_ventricle.length",
            LENGTH,
            "semi-axis of the left endocardium, centre to apex",
        )
        .unit("mesh.unit")
        .absent("2.5 radii"),
        Key::new(
            "generate.left_ventricle.wall",
            LENGTH,
            "thickness of the left wall",
        )
        .unit("mesh.unit")
        .absent("half the radius"),
        Key::new(
            "generate.left_ventricle.base",
            Kind::Number(Range::Any),
            "height of the base plane over the centre",
        )
        .unit("mesh.unit")
        .absent("a quarter of the length"),
        Key::new(
            "generate.right_ventricle.wall",
            LENGTH,
            "thickness of the right free wall (biventricle)",
        )
        .unit("mesh.unit")
        .absent("half the left wall; more where the edge length asks for it"),
        Key::new(
            "generate.right_ventricle.width",
            LENGTH,
            "width of the right cavity, septum to free wall (biventricle)",
        )
        .unit("mesh.unit")
        .absent("1.25 radii of the left ventricle"),
        Key::new(
            "generate.fibre_angles.endocardium",
            Kind::Number(Range::Any),
            "helix angle of the fibres on the endocardium",
        )
        .unit("degrees")
        .absent("60"),
        Key::new(
            "generate.fibre_angles.epicardium",
            Kind::Number(Range::Any),
            "helix angle of the fibres on the epicardium",
        )
        .unit("degrees")
        .absent("-60"),
    ],
    alternatives: &[Alternatives {
        groups: &[&["file"], &["generate"]],
        required: true,
    }],
    defaults: String::new,
};
