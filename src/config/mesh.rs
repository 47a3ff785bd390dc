//! Section `[mesh]`: where the tetrahedral mesh comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layers::Assignment;
use super::schema::{Alternatives, Key, Kind, Range, Section};
use super::value::Value;
use crate::error::{Error, Result};
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

/// Keys of each kind of generated mesh besides `kind`.
const KINDS: [(&str, &[&str]); 3] = [
    ("slab", &["edge", "size", "fibre_angles"]),
    ("ellipsoid", &["edge", "left_ventricle", "fibre_angles"]),
    (
        "biventricle",
        &["edge", "left_ventricle", "right_ventricle", "fibre_angles"],
    ),
];

/// The keys of `mesh.generate` are those of its kind.
pub(super) fn check_generator(assignments: &[Assignment]) -> Result<()> {
    let keys = || {
        assignments.iter().filter_map(|a| match &a.path[..] {
            [mesh, generate, key, ..] if mesh == "mesh" && generate == "generate" => {
                Some((a, key.as_str()))
            }
            _ => None,
        })
    };
    let Some((kind_of, kind)) = keys().find_map(|(a, key)| match &a.value {
        Value::Text(kind) if key == "kind" => Some((a, kind.as_str())),
        _ => None,
    }) else {
        return Ok(());
    };
    let Some((_, known)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Ok(());
    };
    if let Some((a, key)) = keys().find(|(_, key)| *key != "kind" && !known.contains(key)) {
        return Err(Error::Config {
            origin: a.origin.to_string(),
            key: a.key(),
            problem: format!("mesh.generate of kind \"{kind}\" has no `{key}`"),
            remedy: format!("remove it; its keys are {}", known.join(", ")),
        });
    }
    if kind == "slab" && !keys().any(|(_, key)| key == "size") {
        return Err(Error::Config {
            origin: kind_of.origin.to_string(),
            key: "mesh.generate.size".into(),
            problem: "is missing".into(),
            remedy: "give the edge lengths x, y, z of the slab: size = [20, 10, 5]".into(),
        });
    }
    Ok(())
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
