//! The conducting medium: the velocity tensor of each tetrahedron, from speeds and fibres or as
//! stored with the mesh.

use std::ops::RangeInclusive;

use crate::config::{Case, Speed};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::check::validate_fibres;
use crate::tensor::{Metric, Vec3, VelocityTensor};

/// Speeds in mm/ms far beyond any tissue, whose squares single precision still holds.
const SPEEDS: RangeInclusive<f64> = 1e-6..=1e6;

/// Where the velocity tensor of a tetrahedron comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Medium {
    Isotropic(f64),
    /// Fibre speed and one speed across.
    Transverse(f64, f64),
    /// Speeds along fibre, sheet and normal.
    Orthotropic([f64; 3]),
    /// Stored with the mesh.
    Stored,
}

impl Medium {
    /// Speeds of the configuration or tensors of the file, whichever there is.
    pub fn of(case: &Case, mesh: &TetMesh) -> Result<Self> {
        let key = "conduction.speed";
        let error = |problem: &str, remedy: &str| Err(case.origins.error(key, problem, remedy));
        let Some(speed) = case.conduction.speed else {
            if mesh.velocity_tensor.is_none() {
                return error(
                    "there is no speed, and the mesh has no velocity_tensor",
                    "give conduction.speed, one number in mm/ms or { fibre, sheet, normal }",
                );
            }
            for t in 0..mesh.tetrahedron_count() {
                let tensor = Medium::Stored.velocity(mesh, t);
                let [xx, _, _, yy, _, zz] = tensor.0;
                // That it is SPD was checked with the mesh.
                if ![xx, yy, zz].iter().all(|d| SPEEDS.contains(&d.sqrt())) {
                    return Err(Error::bad_data(
                        format!("velocity tensor {t}"),
                        format!("its diagonal {xx:e}, {yy:e}, {zz:e} mm²/ms² is out of range"),
                        "mend /mesh/velocity_tensor, or remove it and give conduction.speed",
                    ));
                }
            }
            return Ok(Medium::Stored);
        };
        if mesh.velocity_tensor.is_some() {
            return error(
                "given, and the mesh has a velocity_tensor too",
                "choose: remove conduction.speed, or the file's velocity_tensor",
            );
        }
        let speeds = match speed {
            Speed::Isotropic(c) => [c; 3],
            Speed::Orthotropic(o) => [o.fibre, o.sheet, o.normal],
        };
        if let Some(c) = speeds.iter().find(|c| !SPEEDS.contains(*c)) {
            return error(
                &format!("{c:e} mm/ms is out of range"),
                &format!(
                    "give speeds from {:e} to {:e}",
                    SPEEDS.start(),
                    SPEEDS.end()
                ),
            );
        }
        let [f, s, n] = speeds;
        if f == s && s == n {
            return Ok(Medium::Isotropic(f));
        }
        if mesh.fibres.is_none() {
            return error(
                "speeds differ along and across the fibres, and the mesh has no fibres",
                "give one speed for all directions, or a mesh with fibres",
            );
        }
        validate_fibres(mesh)?;
        if s == n {
            return Ok(Medium::Transverse(f, s));
        }
        if mesh.sheets.is_none() {
            return error(
                "speeds differ along sheet and normal, and the mesh has fibres but no sheets",
                "give the same speed for sheet and normal, or a mesh with sheets",
            );
        }
        Ok(Medium::Orthotropic(speeds))
    }

    /// M of tetrahedron `t` at γ = 1, mm²/ms².
    pub fn velocity(&self, mesh: &TetMesh, t: usize) -> VelocityTensor {
        // The mesh was checked to hold what the medium needs.
        let of = |list: &Option<Vec<Vec3>>| list.as_ref().map_or([0.0; 3], |l| l[t]);
        match *self {
            Medium::Isotropic(c) => VelocityTensor::isotropic(c),
            Medium::Transverse(along, across) => {
                VelocityTensor::transverse(along, across, of(&mesh.fibres))
            }
            Medium::Orthotropic(speeds) => {
                VelocityTensor::from_fibres(speeds, of(&mesh.fibres), of(&mesh.sheets))
            }
            Medium::Stored => VelocityTensor(
                mesh.velocity_tensor
                    .as_ref()
                    .map_or([f64::NAN; 6], |list| list[t]),
            ),
        }
    }

    /// N = M⁻¹ of tetrahedron `t` at γ = 1.
    pub fn metric(&self, mesh: &TetMesh, t: usize) -> Metric {
        // Checked when the medium was chosen; NaN would show.
        let metric = self.velocity(mesh, t).metric();
        metric.unwrap_or(Metric([f64::NAN; 6]))
    }
}
