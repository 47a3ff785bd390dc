//! Fibres by rule for meshes of ventricles without them (`isochrone mesh fibres`).
//!
//! Laplace–Dirichlet rule of J. D. Bayer and others (Ann. Biomed. Eng. 40, 2012; `frames.rs`).
//! With 1 on the named surface and 0 on the others of φ_epi, φ_left, φ_right, and ψ from 0 at the
//! apex to 1 on the base ([`laplace`]):
//!
//! ```text
//! depth     t = φ_epi                       0 on the endocardia, 1 on the epicardium
//! septum    w = φ_right/(φ_left + φ_right)  0 at the left, 1 at the right
//! angles    α = α_endo + t (α_epi − α_endo), β likewise; times 1 − 2w seen from the left
//! axes      Q_left  = orient(frame(∇ψ, −∇φ_left), (1 − 2w) α, (1 − 2w) β)
//!           Q_right = orient(frame(∇ψ, ∇φ_right), (1 − 2w) α, (1 − 2w) β)
//!           Q_epi   = orient(frame(∇ψ, ∇φ_epi), α, β)
//!           Q       = blend(blend(Q_left, Q_right, w), Q_epi, t)
//! ```
//! Unlike there, all frames are turned by the angle of the same depth before they are blended, so
//! that the helix angle is linear in the depth, for any angles (there: quadratic in a free wall,
//! and the blend takes the other way round where the angles differ by more than 90°).

mod frames;
mod laplace;
mod surfaces;

pub use surfaces::{Surfaces, detect};

use rayon::prelude::*;

use self::frames::{blend, frame, orient};
use self::laplace::Laplace;
use super::{Field, TetMesh};
use crate::error::{Error, Result};
use crate::mesh::generate::FibreAngles;
use crate::tensor::{Vec3, scale};

/// Angles on the surfaces, degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RuleAngles {
    /// Helix angles α of the fibres.
    pub helix: FibreAngles,
    /// Sheet angles β about the fibre: 0 in the wall's plane, −90 towards the epicardium.
    pub sheet: FibreAngles,
}

impl Default for RuleAngles {
    /// The generators' helix angles, and Bayer's sheet angles.
    fn default() -> Self {
        Self {
            helix: FibreAngles::default(),
            sheet: FibreAngles {
                endocardium: -65.0,
                epicardium: 25.0,
            },
        }
    }
}

/// Gives `mesh` fibres and sheets, and its vertices the fields `transmural` (φ_epi) and
/// `apicobasal` (ψ).
///
/// # Errors
/// [`Error::BadData`] where a surface that is needed is empty or names a vertex that does not
/// exist, or where Laplace's equation cannot be solved.
pub fn add_fibres(mesh: &mut TetMesh, surfaces: &Surfaces, angles: &RuleAngles) -> Result<()> {
    check(surfaces, mesh.vertex_count())?;
    let [base, epicardium, left, right, apex] = surfaces.lists();
    let laplace = Laplace::new(mesh);
    let depth = laplace.solve(&[(left, 0.0), (right, 0.0), (epicardium, 1.0)])?;
    let height = laplace.solve(&[(apex, 0.0), (base, 1.0)])?;
    let up = laplace.gradient(&height);
    let outward = laplace.gradient(&depth);
    let t = laplace.at_centres(&depth);
    let septum = if right.is_empty() {
        None
    } else {
        let near = |own: &[u32], other: &[u32]| {
            laplace.solve(&[(other, 0.0), (epicardium, 0.0), (own, 1.0)])
        };
        let (at_left, at_right) = (near(left, right)?, near(right, left)?);
        let from_left: Vec<Vec3> = (laplace.gradient(&at_left).into_iter())
            .map(|g| scale(-1.0, g))
            .collect();
        Some((
            from_left,
            laplace.gradient(&at_right),
            laplace.at_centres(&at_left),
            laplace.at_centres(&at_right),
        ))
    };
    let axes = |i: usize| {
        let (alpha, beta) = (angles.helix.at(t[i]), angles.sheet.at(t[i]));
        let outer = orient(&frame(up[i], outward[i]), alpha, beta);
        let Some((from_left, to_right, at_left, at_right)) = &septum else {
            return outer;
        };
        let both = at_left[i] + at_right[i];
        // On the epicardium there is no septum, and the blend below takes nothing of it.
        let w = if both > 1e-12 {
            (at_right[i] / both).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let side = 1.0 - 2.0 * w;
        let turned =
            |transmural: Vec3| orient(&frame(up[i], transmural), side * alpha, side * beta);
        let inner = blend(&turned(from_left[i]), &turned(to_right[i]), w);
        blend(&inner, &outer, t[i].clamp(0.0, 1.0))
    };
    let count = mesh.tetrahedron_count();
    let column = |m: &frames::Frame, i: usize| -> Vec3 { m.matrix().column(i).into_owned().into() };
    let (fibres, sheets) = (0..count)
        .into_par_iter()
        .map(|i| {
            let q = axes(i);
            (column(&q, 0), column(&q, 1))
        })
        .unzip();
    (mesh.fibres, mesh.sheets) = (Some(fibres), Some(sheets));
    mesh.normalise_directions();
    for (name, values) in [("transmural", depth), ("apicobasal", height)] {
        let field = Field {
            components: 1,
            values,
        };
        mesh.point_fields.insert(name.into(), field);
    }
    Ok(())
}

fn check(surfaces: &Surfaces, n: usize) -> Result<()> {
    for (name, list) in Surfaces::NAMES.into_iter().zip(surfaces.lists()) {
        // One cavity has no right side.
        if list.is_empty() && name != "right" {
            let remedy = format!("give its vertices: --surface {name}=FILE.vtx");
            return Err(Error::bad_data(
                format!("surface {name}"),
                "has no vertices",
                remedy,
            ));
        }
        if let Some(v) = list.iter().find(|v| **v as usize >= n) {
            let problem = format!("vertex {v} is not in the mesh of {n} vertices");
            let remedy = "give the vertices of this mesh, numbered from 0";
            return Err(Error::bad_data(format!("surface {name}"), problem, remedy));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
