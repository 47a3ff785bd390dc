//! Section `[mesh]`: where the tetrahedral mesh comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layers::Assignment;
use super::schema::{Alternatives, Key, Kind, Range, Section};
use super::value::Value;
use crate::error::{Error, Result};
use crate::mesh::fibre_rule::RuleAngles;
use crate::mesh::generate::{FibreAngles, Generator};
use crate::units::LengthUnit;

/// The mesh of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshInput {
    #[serde(flatten)]
    pub origin: MeshOrigin,
    /// File with fibre vectors on points, for a mesh file without.
    pub fibres: Option<PathBuf>,
    /// Fibres and sheets by rule, for a mesh file of ventricles without.
    pub fibre_rule: Option<FibreRule>,
    /// Unit of the file's coordinates, of the generator's lengths and of all coordinates in the
    /// configuration; absent: the file format's own (`um` for CARP, else `mm`).
    pub unit: Option<LengthUnit>,
}

/// Fibres by rule: angles in degrees, as of [`crate::mesh::fibre_rule::RuleAngles`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FibreRule {
    kind: RuleKind,
    endocardium: Option<f64>,
    epicardium: Option<f64>,
    sheet_endocardium: Option<f64>,
    sheet_epicardium: Option<f64>,
    /// Direction from apex to base; absent: found.
    pub axis: Option<[f64; 3]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RuleKind {
    LaplaceDirichlet,
}

impl FibreRule {
    /// The angles, the usual ones where none is given.
    pub fn angles(&self) -> RuleAngles {
        let RuleKind::LaplaceDirichlet = self.kind;
        let usual = RuleAngles::default();
        let pair =
            |endocardium: Option<f64>, epicardium: Option<f64>, usual: FibreAngles| FibreAngles {
                endocardium: endocardium.unwrap_or(usual.endocardium),
                epicardium: epicardium.unwrap_or(usual.epicardium),
            };
        RuleAngles {
            helix: pair(self.endocardium, self.epicardium, usual.helix),
            sheet: pair(self.sheet_endocardium, self.sheet_epicardium, usual.sheet),
        }
    }
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

const ANGLE: Kind = Kind::Number(Range::Any);
const LENGTH: Kind = Kind::Number(Range::Positive);

pub const SECTION: Section = Section {
    name: "mesh",
    doc: "The tetrahedral mesh: a file or a generator.",
    keys: &[
        Key::new(
            "file",
            Kind::Path,
            "mesh file: .h5, .vtu, .vtkhdf, .vtk, .msh (Gmsh), TetGen's .node or .ele, or one of \
             CARP's .pts .elem .lon",
        ),
        Key::new(
            "fibres",
            Kind::Path,
            "VTK file with the fibres of a mesh file that has none",
        ),
        Key::new(
            "fibre_rule.kind",
            Kind::Choice(&["laplace-dirichlet"]),
            "fibres and sheets by rule for a mesh file of ventricles without",
        )
        .required(),
        Key::new(
            "fibre_rule.endocardium",
            ANGLE,
            "helix angle on the endocardium",
        )
        .unit("degrees")
        .absent("60"),
        Key::new(
            "fibre_rule.epicardium",
            ANGLE,
            "helix angle on the epicardium",
        )
        .unit("degrees")
        .absent("-60"),
        Key::new(
            "fibre_rule.sheet_endocardium",
            ANGLE,
            "sheet angle on the endocardium: 0 in the plane of the wall, -90 across it",
        )
        .unit("degrees")
        .absent("-65"),
        Key::new(
            "fibre_rule.sheet_epicardium",
            ANGLE,
            "sheet angle on the epicardium",
        )
        .unit("degrees")
        .absent("25"),
        Key::new(
            "fibre_rule.axis",
            Kind::Point(Range::Any),
            "direction from apex to base",
        )
        .absent("found from the surface"),
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
    alternatives: &[
        Alternatives {
            groups: &[&["file"], &["generate"]],
            required: true,
        },
        Alternatives {
            groups: &[&["fibres"], &["fibre_rule"]],
            required: false,
        },
    ],
    defaults: String::new,
};
