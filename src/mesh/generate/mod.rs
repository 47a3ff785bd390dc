//! Generators: meshes with fibres by rule, made from a few numbers (`mesh.generate`).

mod boundary;
mod fibres;
mod implicit;
mod kuhn;
mod lattice;
mod sizing;
mod slab;
mod stencil;
mod stuffing;
mod ventricle;

use serde::{Deserialize, Serialize};

pub use self::kuhn::kuhn;
use self::sizing::Sizing;
use self::ventricle::Ventricles;
use super::TetMesh;
use crate::error::{Error, Result};
use crate::memory;
use crate::tensor::Vec3;

/// What to generate; lengths in the unit of `[mesh]`.
///
/// Tetrahedra of the default ventricles against `edge` in mm (they grow as edge⁻³):
///
/// | ellipsoid | biventricle | tetrahedra |
/// |-----------|-------------|------------|
/// | 3.44      | 3.92        | 20 000     |
/// | 1.455     | 1.62        | 270 000    |
/// | 0.643     | 0.72        | 3.2 million |
/// |           | 0.48        | 10.7 million |
/// |           | 0.382       | 21 million |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Generator {
    /// Box of tissue, fibres rotating through its thickness (z).
    Slab {
        /// Edge lengths (x, y, z).
        size: [f64; 3],
        /// Mean edge length of the tetrahedra.
        edge: f64,
        #[serde(default)]
        fibre_angles: FibreAngles,
    },
    /// Truncated ellipsoidal left ventricle.
    Ellipsoid {
        /// Mean edge length of the tetrahedra.
        edge: f64,
        #[serde(default)]
        left_ventricle: LeftVentricle,
        #[serde(default)]
        fibre_angles: FibreAngles,
    },
    /// Idealised left and right ventricle, one connected mesh; tag 1 left (with the septum), 2 right.
    Biventricle {
        /// Mean edge length of the tetrahedra.
        edge: f64,
        #[serde(default)]
        left_ventricle: LeftVentricle,
        #[serde(default)]
        right_ventricle: RightVentricle,
        #[serde(default)]
        fibre_angles: FibreAngles,
    },
}

/// Truncated ellipsoidal shell about the z axis, apex at negative z, centre at the origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeftVentricle {
    /// Semi-axis of the endocardium across; 20 mm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<f64>,
    /// Semi-axis of the endocardium along z, centre to apex; 2.5 radii.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// Thickness of the wall: the epicardium's semi-axes are longer by this; half the radius.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<f64>,
    /// Height z of the base plane; a quarter of the length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<f64>,
}

/// Shell on the left ventricle's negative x side, cut off at the same base plane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RightVentricle {
    /// Thickness of the free wall; half that of the left wall, and up to all of it where `edge` would
    /// leave holes in a thinner one (above 2.9 mm in a human heart).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall: Option<f64>,
    /// Width of the cavity, septum to free wall; 1.25 radii of the left ventricle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
}

/// Helix angle of the fibres, degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FibreAngles {
    pub endocardium: f64,
    pub epicardium: f64,
}

impl Default for FibreAngles {
    fn default() -> Self {
        Self {
            endocardium: 60.0,
            epicardium: -60.0,
        }
    }
}

/// Most tetrahedra that a generator makes: some 40 GB.
const MAX_TETRAHEDRA: f64 = 5e8;

/// Most vertices of the lattice around ventricles: some 20 GB.
const MAX_LATTICE: f64 = 4e9;

/// The mesh of `generator`, coordinates in mm (lengths of `generator` are multiplied by `unit_mm`).
///
/// Tags, fibres and sheets are set; the tetrahedra are positively oriented, connected through
/// faces, and bounded by one closed manifold surface. Same bits for any number of threads.
///
/// # Errors
/// [`Error::BadData`] that names the key of `mesh.generate`, for what is not a length or an angle,
/// and for an edge too long for the walls or so short that no memory holds the mesh.
pub fn generate(generator: &Generator, unit_mm: f64) -> Result<TetMesh> {
    match plan(generator, unit_mm)? {
        Plan::Slab { size, cells } => Ok(slab::mesh(size, cells, generator.fibre_angles())),
        Plan::Stuffing { heart, side, .. } => {
            ventricle::mesh(&heart, side, generator.fibre_angles()).ok_or_else(|| {
                Error::bad_data(
                    "mesh.generate.edge",
                    "leaves holes in the walls",
                    "make it smaller by a tenth, or the walls thicker",
                )
            })
        }
    }
}

/// Vertices and tetrahedra that [`generate`] will make: exact for a slab, within some per cent for
/// the ventricles. Takes a fraction of a second.
///
/// # Errors
/// Those of [`generate`].
pub fn estimate(generator: &Generator, unit_mm: f64) -> Result<(u64, u64)> {
    let (points, tetrahedra) = match plan(generator, unit_mm)? {
        Plan::Slab { cells, .. } => slab::size_of(cells),
        Plan::Stuffing { sizing, side, .. } => sizing.size(side),
    };
    Ok((points.round() as u64, tetrahedra.round() as u64))
}

/// What to make, checked; mm.
enum Plan {
    Slab {
        size: Vec3,
        cells: [f64; 3],
    },
    Stuffing {
        heart: Box<Ventricles>,
        sizing: Sizing,
        side: f64,
    },
}

fn plan(generator: &Generator, unit_mm: f64) -> Result<Plan> {
    finite_angles(generator.fibre_angles())?;
    let edge = positive("edge", generator.edge())? * unit_mm;
    let (left, right) = match generator {
        Generator::Slab { size, .. } => {
            for length in size {
                positive("size", *length)?;
            }
            let size = size.map(|length| length * unit_mm);
            let cells = slab::cells(size, edge);
            let smallest = slab::smallest_edge(size, MAX_TETRAHEDRA);
            refuse_too_many(slab::size_of(cells), smallest / unit_mm)?;
            refuse_beyond_memory(slab::size_of(cells), 0.0, edge / unit_mm)?;
            return Ok(Plan::Slab { size, cells });
        }
        Generator::Ellipsoid { left_ventricle, .. } => (left_ventricle, None),
        Generator::Biventricle {
            left_ventricle,
            right_ventricle,
            ..
        } => (left_ventricle, Some(right_ventricle)),
    };
    let heart = Ventricles::new(left, right, edge, unit_mm)?;
    let Some(sizing) = Sizing::of(&heart) else {
        return Err(Error::bad_data(
            "mesh.generate",
            "the thinnest wall or cavity is thinner than a few hundredths of the ventricle",
            "make it thicker",
        ));
    };
    if edge > sizing.largest_edge() {
        return Err(Error::bad_data(
            "mesh.generate.edge",
            format!(
                "{} is too long for the thinnest wall or cavity, {:.3}",
                edge / unit_mm,
                heart.narrowest() / unit_mm
            ),
            format!(
                "make it {:.3} or less, or the walls thicker",
                0.999 * sizing.largest_edge() / unit_mm
            ),
        ));
    }
    let side = sizing.side(edge);
    let smallest = sizing.smallest_edge(MAX_TETRAHEDRA);
    refuse_too_many(sizing.size(side), smallest / unit_mm)?;
    let lattice = lattice::size_around(heart.bounds(), side);
    if lattice > MAX_LATTICE {
        let smallest = edge * (lattice / MAX_LATTICE).cbrt() * 1.01;
        return Err(Error::bad_data(
            "mesh.generate.edge",
            format!("needs a lattice of {lattice:.1e} vertices, more than {MAX_LATTICE:.0e}"),
            format!("make it {:.3e} or more", smallest / unit_mm),
        ));
    }
    refuse_beyond_memory(sizing.size(side), lattice, edge / unit_mm)?;
    Ok(Plan::Stuffing {
        heart: Box::new(heart),
        sizing,
        side,
    })
}

impl Generator {
    fn edge(&self) -> f64 {
        match self {
            Generator::Slab { edge, .. }
            | Generator::Ellipsoid { edge, .. }
            | Generator::Biventricle { edge, .. } => *edge,
        }
    }

    fn fibre_angles(&self) -> &FibreAngles {
        match self {
            Generator::Slab { fibre_angles, .. }
            | Generator::Ellipsoid { fibre_angles, .. }
            | Generator::Biventricle { fibre_angles, .. } => fibre_angles,
        }
    }
}

/// `value` of the key `mesh.generate.{key}` if it is a length.
fn positive(key: &str, value: f64) -> Result<f64> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::bad_data(
        format!("mesh.generate.{key}"),
        format!("{value} is not a length"),
        "give a positive number in the unit of [mesh]",
    ))
}

fn finite_angles(angles: &FibreAngles) -> Result<()> {
    if angles.endocardium.is_finite() && angles.epicardium.is_finite() {
        return Ok(());
    }
    Err(Error::bad_data(
        "mesh.generate.fibre_angles",
        format!("{angles:?} are not angles"),
        "give finite numbers, degrees",
    ))
}

/// Refuses what no machine holds; `smallest` edge allowed, in the unit of the configuration.
fn refuse_too_many((points, tetrahedra): (f64, f64), smallest: f64) -> Result<()> {
    if tetrahedra <= MAX_TETRAHEDRA && points < f64::from(u32::MAX) {
        return Ok(());
    }
    Err(Error::bad_data(
        "mesh.generate.edge",
        format!("makes {tetrahedra:.1e} tetrahedra, more than {MAX_TETRAHEDRA:.0e}"),
        format!("make it {smallest:.3e} or more"),
    ))
}

/// Refuses a mesh, made on so many vertices of a `lattice` with this mean `edge`, that would not fit
/// in this machine.
fn refuse_beyond_memory((points, tetrahedra): (f64, f64), lattice: f64, edge: f64) -> Result<()> {
    // Coordinates; corners, tag, fibre and sheet; class and number of a lattice vertex.
    let bytes = 24.0 * points + 68.0 * tetrahedra + 5.0 * lattice;
    match memory::available() {
        Some(memory) if bytes > memory => Err(Error::bad_data(
            "mesh.generate.edge",
            format!(
                "makes {tetrahedra:.1e} tetrahedra, which need {:.1} GB of memory, and {:.1} GB are free",
                bytes / 1e9,
                memory / 1e9
            ),
            format!(
                "make it {:.3e} or more, or run on a larger machine",
                1.01 * edge * (bytes / memory).cbrt()
            ),
        )),
        _ => Ok(()),
    }
}
