//! Generators: meshes with fibres by rule, made from a few numbers (`mesh.generate`).

mod fibres;
mod implicit;
mod slab;
mod stuffing;

use serde::{Deserialize, Serialize};

use super::TetMesh;
use crate::error::{Error, Result};

/// What to generate; lengths in the unit of `[mesh]`.
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
        edge: f64,
        #[serde(default)]
        fibre_angles: FibreAngles,
    },
    /// Idealised left and right ventricle, one connected mesh.
    Biventricle {
        edge: f64,
        #[serde(default)]
        fibre_angles: FibreAngles,
    },
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

/// The mesh of `generator`, coordinates in mm (lengths of `generator` are multiplied by `unit_mm`).
pub fn generate(generator: &Generator, unit_mm: f64) -> Result<TetMesh> {
    match generator {
        Generator::Slab {
            size,
            edge,
            fibre_angles,
        } => {
            let edge = positive("edge", *edge)? * unit_mm;
            for length in size {
                positive("size", *length)?;
            }
            finite_angles(fibre_angles)?;
            let size = size.map(|length| length * unit_mm);
            let (points, tetrahedra) = slab::size_of(slab::cells(size, edge));
            refuse_too_many(points, tetrahedra, edge / unit_mm)?;
            Ok(slab::mesh(size, edge, fibre_angles))
        }
        _ => Err(Error::Bug("this generator is not here yet".into())),
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

/// Refuses what no machine holds; `edge` in the unit of the configuration.
fn refuse_too_many(points: f64, tetrahedra: f64, edge: f64) -> Result<()> {
    if tetrahedra <= MAX_TETRAHEDRA && points < f64::from(u32::MAX) {
        return Ok(());
    }
    let enough = edge * (tetrahedra / MAX_TETRAHEDRA).cbrt() * 1.01;
    Err(Error::bad_data(
        "mesh.generate.edge",
        format!("{edge} makes {tetrahedra:.1e} tetrahedra, more than {MAX_TETRAHEDRA:.0e}"),
        format!("make it {enough:.3} or more"),
    ))
}
