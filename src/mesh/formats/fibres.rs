//! Fibres that live in a file of their own (`mesh.fibres`).

use std::collections::HashMap;
use std::path::Path;

use super::grid::{Grid, average};
use super::{carp, legacy_vtk, vtu};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::{Vec3, norm, sub};
use crate::units::LengthUnit;

/// Points count as the same within this fraction of the diagonal of the mesh.
const SAME_POINT: f64 = 1e-6;

/// Gives `mesh` the fibres (and sheets) of another file.
///
/// A VTK file (`.vtk`, `.vtu`) has vectors on its points; it needs no cells. Its points must be
/// those of the mesh, in the same order or found by their coordinates (`unit`, default mm; within
/// 1e-6 of the diagonal of the mesh). Vectors on points are averaged to tetrahedra, blind to sign.
/// A CARP file (`.lon`) has a row per tetrahedron.
///
/// # Errors
/// [`Error::BadFile`] where the file has no fibres or does not belong to this mesh.
pub fn attach_fibres(mesh: &mut TetMesh, path: &Path, unit: Option<LengthUnit>) -> Result<()> {
    let extension = path.extension().map(|e| e.to_ascii_lowercase());
    let grid = match extension.as_ref().and_then(|e| e.to_str()) {
        Some("vtk") => legacy_vtk::read_grid(path)?,
        Some("vtu") => vtu::read_grid(path)?,
        Some("lon") => {
            let all: Vec<usize> = (0..mesh.tetrahedron_count()).collect();
            (mesh.fibres, mesh.sheets) = carp::read_directions(path, all.len(), &all)?;
            mesh.normalise_directions();
            return Ok(());
        }
        _ => {
            let remedy = "use a VTK file (.vtk, .vtu) with vectors on its points, or a CARP .lon";
            return Err(Error::bad_file(path, "name", "no file of fibres", remedy));
        }
    };
    from_points(mesh, grid, path, unit)
}

fn from_points(
    mesh: &mut TetMesh,
    mut grid: Grid,
    path: &Path,
    unit: Option<LengthUnit>,
) -> Result<()> {
    grid.check_arrays(path)?;
    let (Some(fibres), sheets) = grid.point_directions() else {
        let problem = "no vectors called fibres (or fiber, fibre, f, …)";
        let remedy = "store three numbers per point under such a name";
        return Err(Error::bad_file(path, "arrays on points", problem, remedy));
    };
    let factor = unit.map_or(1.0, LengthUnit::in_mm);
    let theirs: Vec<Vec3> = grid.points.iter().map(|p| p.map(|x| x * factor)).collect();
    let order = match_points(&mesh.points, &theirs, path)?;
    let pick = |v: Vec<Vec3>| order.iter().map(|&i| v[i as usize]).collect::<Vec<_>>();
    mesh.fibres = Some(average(&pick(fibres), mesh));
    mesh.sheets = sheets.map(|s| average(&pick(s), mesh));
    mesh.normalise_directions();
    Ok(())
}

/// Number among `theirs` of each of `ours`.
fn match_points(ours: &[Vec3], theirs: &[Vec3], path: &Path) -> Result<Vec<u32>> {
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for p in ours {
        for i in 0..3 {
            low[i] = low[i].min(p[i]);
            high[i] = high[i].max(p[i]);
        }
    }
    let near = SAME_POINT * norm(sub(high, low));
    let same = |(a, b): (&Vec3, &Vec3)| norm(sub(*a, *b)) <= near;
    if ours.len() == theirs.len() && ours.iter().zip(theirs).all(same) {
        return Ok((0..ours.len() as u32).collect());
    }
    // Boxes so large that a match lies in the same box or the next.
    let key = |p: &Vec3| [0, 1, 2].map(|i| ((p[i] - low[i]) / (2.0 * near)).floor() as i64);
    let mut boxes: HashMap<[i64; 3], Vec<u32>> = HashMap::with_capacity(theirs.len());
    for (i, p) in theirs.iter().enumerate() {
        boxes.entry(key(p)).or_default().push(i as u32);
    }
    let nearest = |p: &Vec3| {
        let k = key(p);
        (0..27)
            .filter_map(|i| boxes.get(&[k[0] + i % 3 - 1, k[1] + i / 3 % 3 - 1, k[2] + i / 9 - 1]))
            .flatten()
            .map(|&i| (norm(sub(*p, theirs[i as usize])), i))
            .filter(|(distance, _)| *distance <= near)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, i)| i)
    };
    let found: Vec<Option<u32>> = ours.iter().map(nearest).collect();
    if let Some(first) = found.iter().position(Option::is_none) {
        let missing = found.iter().filter(|f| f.is_none()).count();
        return Err(Error::bad_file(
            path,
            "points",
            format!(
                "{missing} of {} points of the mesh are not among its {} points, the first is {first} at {:?} mm",
                ours.len(),
                theirs.len(),
                ours[first]
            ),
            "give the fibres of this very mesh, in the same unit of length",
        ));
    }
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_found_in_another_order() {
        let ours: Vec<Vec3> = (0..50)
            .map(|i| [f64::from(i % 7), f64::from(i), -0.5])
            .collect();
        let mut theirs: Vec<Vec3> = ours.iter().rev().map(|p| p.map(|x| x + 1e-6)).collect();
        let order = match_points(&ours, &theirs, Path::new("a.vtk")).unwrap();
        assert!(order.iter().rev().copied().eq(0..50));
        theirs[3][0] += 0.1;
        assert!(match_points(&ours, &theirs, Path::new("a.vtk")).is_err());
    }
}
