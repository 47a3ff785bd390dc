//! What runs insist on.

use super::defects::{beyond, is_in_range};
use super::{UNIT, is_degenerate};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::adjacency::check_counts;
use crate::tensor::{Vec3, VelocityTensor, dot, norm};

/// Whether every vertex of every tetrahedron is a point.
pub fn indices_are_in_range(mesh: &TetMesh) -> bool {
    beyond(mesh).next().is_none()
}

/// What every run insists on: lengths agree, indices in range, points finite, no tetrahedron
/// without volume (orientation does not matter), tensors symmetric positive definite.
///
/// # Errors
/// [`Error::BadData`] with the first offender and their number.
pub fn validate(mesh: &TetMesh) -> Result<()> {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    if m == 0 {
        let remedy = "give a volume mesh of linear tetrahedra";
        return Err(Error::bad_data("mesh", "has no tetrahedra", remedy));
    }
    check_counts(n, &mesh.tetrahedra)?;
    lengths(mesh)?;
    let all = "`isochrone mesh check` lists all of them";
    let first_of = |what: &str, mut wrong: Box<dyn Iterator<Item = usize> + '_>, problem: &str| {
        wrong.next().map_or(Ok(()), |first| {
            let problem = match wrong.count() {
                0 => problem.to_owned(),
                others => format!("{problem}, and {others} others"),
            };
            Err(Error::bad_data(format!("{what} {first}"), problem, all))
        })
    };
    let nowhere = (0..n).filter(|&p| !is_in_range(&mesh.points[p]));
    first_of(
        "point",
        Box::new(nowhere),
        "its coordinates are not finite or beyond 1e90 mm",
    )?;
    let flat = (0..m).filter(|&t| is_degenerate(mesh, t));
    first_of("tetrahedron", Box::new(flat), "it has no volume")?;
    if let Some(tensors) = &mesh.velocity_tensor {
        let indefinite = (0..m).filter(|&t| !VelocityTensor(tensors[t]).is_spd());
        let problem = "it is not symmetric positive definite";
        first_of("velocity tensor", Box::new(indefinite), problem)?;
    }
    Ok(())
}

/// What a run with speeds that differ by direction insists on besides [`validate`]: unit fibres
/// everywhere, and unit sheets orthogonal to them where there are sheets (within 1e-6).
///
/// # Errors
/// [`Error::BadData`] with the first offender.
pub fn validate_fibres(mesh: &TetMesh) -> Result<()> {
    let Some(fibres) = &mesh.fibres else {
        return Err(Error::bad_data(
            "mesh",
            "has no fibres",
            "give one speed for all directions (conduction.speed = 0.6), or a mesh with fibres",
        ));
    };
    let wrong = |v: &Vec3| {
        let is_unit = (norm(*v) - 1.0).abs() <= UNIT;
        !is_unit
    };
    let remedy = "`isochrone mesh check` lists all of them";
    if let Some(t) = fibres.iter().position(wrong) {
        let problem = format!("its fibre {:?} is no unit vector", fibres[t]);
        return Err(Error::bad_data(format!("tetrahedron {t}"), problem, remedy));
    }
    let Some(sheets) = &mesh.sheets else {
        return Ok(());
    };
    let pairs = || fibres.iter().zip(sheets);
    if let Some(t) = pairs().position(|(f, s)| wrong(s) || dot(*f, *s).abs() > UNIT) {
        let problem = format!(
            "its sheet {:?} is no unit vector across the fibre",
            sheets[t]
        );
        return Err(Error::bad_data(format!("tetrahedron {t}"), problem, remedy));
    }
    Ok(())
}

/// Every array has as many rows as there are tetrahedra or points.
fn lengths(mesh: &TetMesh) -> Result<()> {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    let rows = |name: &str, have: Option<usize>, need: usize| match have {
        Some(have) if have != need => Err(Error::bad_data(
            name.to_owned(),
            format!("{have} rows where {need} are needed"),
            "make the mesh again",
        )),
        _ => Ok(()),
    };
    rows("tags", Some(mesh.tags.len()), m)?;
    rows("fibres", mesh.fibres.as_ref().map(Vec::len), m)?;
    rows("sheets", mesh.sheets.as_ref().map(Vec::len), m)?;
    rows(
        "velocity_tensor",
        mesh.velocity_tensor.as_ref().map(Vec::len),
        m,
    )?;
    rows("domains", mesh.domains.as_ref().map(Vec::len), m)?;
    rows("parts", mesh.parts.as_ref().map(Vec::len), n)?;
    for (fields, need) in [(&mesh.point_fields, n), (&mesh.cell_fields, m)] {
        for (name, f) in fields {
            rows(name, Some(f.values.len()), need * f.components)?;
        }
    }
    Ok(())
}
