//! What VTK files hold: points, cells of many types, named arrays; and how it becomes our mesh.
//!
//! Arrays are recognised by name, in any case and with any punctuation:
//!
//! | becomes | names | on |
//! |---|---|---|
//! | fibres | fibre(s), fiber(s), … direction(s), … orientation(s), … vector(s), f, f0, lon | cells; points are averaged |
//! | sheets | sheet(s), … direction(s), … orientation(s), … vector(s), s, s0 | cells; points are averaged |
//! | tags | tag(s), elemtag(s), elementtag(s), region(s), regionid, material(s), materialid, domain, label(s), gmsh:physical, medit:ref, cell_tags, partid | cells |
//! | velocity_tensor | velocity_tensor(s), conduction_velocity_tensor(s) | cells, 6 (xx xy xz yy yz zz) or 9 numbers |
//! | domains, parts | domains; parts | cells; points |
//!
//! Every other array is carried along as a field.

use std::path::Path;

use super::numbers::index;
use crate::error::{Error, Result};
use crate::mesh::{Field, TetMesh};
use crate::tensor::{Vec3, dot, scale, unit};

/// VTK's number for the linear tetrahedron.
pub const TETRAHEDRON: u8 = 10;

/// A named array on points or cells.
#[derive(Debug)]
pub struct Array {
    pub name: String,
    pub components: usize,
    pub values: Vec<f64>,
}

/// Content of a VTK file. Arrays on cells have a row for every cell, of whatever type.
#[derive(Debug, Default)]
pub struct Grid {
    pub points: Vec<Vec3>,
    pub cell_types: Vec<f64>,
    /// Where each cell ends in `connectivity`.
    pub cell_ends: Vec<f64>,
    pub connectivity: Vec<f64>,
    pub point_arrays: Vec<Array>,
    pub cell_arrays: Vec<Array>,
}

fn bad(path: &Path, place: impl Into<String>, problem: impl Into<String>) -> Error {
    let remedy = "the file may be damaged or truncated; make or copy it again";
    Error::bad_file(path, place, problem, remedy)
}

/// Rows of three from a flat list of coordinates.
pub fn points_from(values: &[f64], path: &Path) -> Result<Vec<Vec3>> {
    match values.as_chunks::<3>() {
        (points, []) => Ok(points.to_vec()),
        _ => {
            let problem = format!("{} coordinates, not a multiple of 3", values.len());
            Err(bad(path, "points", problem))
        }
    }
}

impl Grid {
    /// The tetrahedra of the file with what is known about them.
    ///
    /// # Errors
    /// [`Error::BadFile`] where counts contradict each other, or no tetrahedron is among the cells.
    pub fn into_mesh(mut self, path: &Path) -> Result<TetMesh> {
        self.check_arrays(path)?;
        let (tetrahedra, cells) = self.tetrahedra(path)?;
        let skipped = self.cell_types.len() - cells.len();
        if cells.is_empty() {
            let problem = format!(
                "none of the {} cells is a tetrahedron",
                self.cell_types.len()
            );
            let remedy = "give a volume mesh of linear tetrahedra (ParaView's filter Tetrahedralize makes one)";
            return Err(Error::bad_file(path, "cells", problem, remedy));
        }
        if skipped > 0 {
            tracing::warn!(
                "{}: {skipped} cells that are not tetrahedra skipped",
                path.display()
            );
            for array in &mut self.cell_arrays {
                let c = array.components;
                array.values = cells
                    .iter()
                    .flat_map(|&cell| array.values[cell * c..(cell + 1) * c].iter().copied())
                    .collect();
            }
        }
        let mut mesh = TetMesh::new(std::mem::take(&mut self.points), tetrahedra);
        self.recognise(&mut mesh, path)?;
        Ok(mesh)
    }

    /// Every array has as many rows as there are points or cells.
    pub fn check_arrays(&self, path: &Path) -> Result<()> {
        let on_points = (self.point_arrays.iter()).map(|a| (a, self.points.len(), "points"));
        let on_cells = (self.cell_arrays.iter()).map(|a| (a, self.cell_types.len(), "cells"));
        for (array, rows, of) in on_points.chain(on_cells) {
            if rows.checked_mul(array.components) != Some(array.values.len()) {
                let place = format!("array {:?} on {of}", array.name);
                let (have, c) = (array.values.len(), array.components);
                let problem = format!("{have} numbers for {rows} {of} of {c} components");
                return Err(bad(path, place, problem));
            }
        }
        Ok(())
    }

    /// Vertices of the tetrahedra and their numbers among the cells.
    fn tetrahedra(&self, path: &Path) -> Result<(Vec<[u32; 4]>, Vec<usize>)> {
        let (types, ends) = (self.cell_types.len(), self.cell_ends.len());
        if types != ends {
            return Err(bad(
                path,
                "cells",
                format!("{types} types for {ends} cells"),
            ));
        }
        let mut tetrahedra = Vec::new();
        let mut cells = Vec::new();
        let mut start = 0;
        for (cell, (&kind, &end)) in self.cell_types.iter().zip(&self.cell_ends).enumerate() {
            let place = || format!("cell {cell}");
            let corners = index(end)
                .and_then(|end| self.connectivity.get(start..end as usize))
                .ok_or_else(|| {
                    let have = self.connectivity.len();
                    bad(
                        path,
                        place(),
                        format!("ends at {end} of {have} vertex numbers"),
                    )
                })?;
            start += corners.len();
            if kind != f64::from(TETRAHEDRON) {
                continue;
            }
            let mut vertices = [0; 4];
            if corners.len() != 4 {
                let problem = format!("a tetrahedron with {} vertices", corners.len());
                return Err(bad(path, place(), problem));
            }
            for (to, &from) in vertices.iter_mut().zip(corners) {
                *to = index(from)
                    .ok_or_else(|| bad(path, place(), format!("vertex number {from}")))?;
            }
            tetrahedra.push(vertices);
            cells.push(cell);
        }
        Ok((tetrahedra, cells))
    }

    /// Moves the arrays to where the mesh wants them.
    pub fn recognise(mut self, mesh: &mut TetMesh, path: &Path) -> Result<()> {
        mesh.fibres = self.directions(FIBRES, mesh);
        mesh.sheets = self.directions(SHEETS, mesh);
        if let Some(a) = take(&mut self.cell_arrays, TAGS, |a| {
            a.components == 1 && a.values.iter().all(|&x| f64::from(x as i32) == x)
        }) {
            mesh.tags = a.values.iter().map(|&x| x as i32).collect();
        }
        let whole = |a: &Array| a.components == 1 && a.values.iter().all(|&x| index(x).is_some());
        let to_u32 = |a: Array| a.values.iter().map(|&x| x as u32).collect();
        mesh.domains = take(&mut self.cell_arrays, &["domains"], whole).map(to_u32);
        mesh.parts = take(&mut self.point_arrays, &["parts"], whole).map(to_u32);
        let tensor = take(&mut self.cell_arrays, TENSORS, |a| {
            a.components == 6 || a.components == 9
        });
        mesh.velocity_tensor = tensor.map(|a| tensors(&a, path)).transpose()?;
        for (arrays, fields) in [
            (self.point_arrays, &mut mesh.point_fields),
            (self.cell_arrays, &mut mesh.cell_fields),
        ] {
            for Array {
                name,
                components,
                values,
            } in arrays
            {
                fields.insert(name, Field { components, values });
            }
        }
        Ok(())
    }

    /// Vectors of one of these names: of the cells, or averaged from the points.
    fn directions(&mut self, names: &[&str], mesh: &TetMesh) -> Option<Vec<Vec3>> {
        let vectors = |a: &Array| a.components == 3;
        let rows = |a: Array| a.values.as_chunks::<3>().0.to_vec();
        if let Some(a) = take(&mut self.cell_arrays, names, vectors) {
            return Some(rows(a));
        }
        let on_points = rows(take(&mut self.point_arrays, names, vectors)?);
        Some(average(&on_points, mesh))
    }

    /// Fibres and sheets on the points of a file that may have no cells.
    pub fn point_directions(&mut self) -> (Option<Vec<Vec3>>, Option<Vec<Vec3>>) {
        let mut vectors = |names| {
            let a = take(&mut self.point_arrays, names, |a| a.components == 3)?;
            Some(a.values.as_chunks::<3>().0.to_vec())
        };
        (vectors(FIBRES), vectors(SHEETS))
    }
}

const FIBRES: &[&str] = &[
    "fibre",
    "fibredirection",
    "fibreorientation",
    "fibrevector",
    "f",
    "f0",
    "lon",
];
const SHEETS: &[&str] = &[
    "sheet",
    "sheetdirection",
    "sheetorientation",
    "sheetvector",
    "s",
    "s0",
];
const TAGS: &[&str] = &[
    "tag",
    "elemtag",
    "elementtag",
    "celltag",
    "region",
    "regionid",
    "material",
    "materialid",
    "domain",
    "label",
    "gmshphysical",
    "meditref",
    "partid",
];
const TENSORS: &[&str] = &["velocitytensor", "conductionvelocitytensor"];

/// Lower case, letters and digits only, British, singular.
fn plain(name: &str) -> String {
    let mut plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect::<String>()
        .replace("fiber", "fibre");
    if plain.len() > 1 && plain.ends_with('s') && plain != "domains" && plain != "parts" {
        plain.pop();
    }
    plain
}

/// Takes the array with the first of `names` that also looks as it should.
fn take(arrays: &mut Vec<Array>, names: &[&str], fits: impl Fn(&Array) -> bool) -> Option<Array> {
    names.iter().find_map(|name| {
        let found = (arrays.iter()).position(|a| plain(&a.name) == *name && fits(a))?;
        Some(arrays.remove(found))
    })
}

/// Direction of each tetrahedron from its four vertices, blind to sign: the eigenvector of the
/// largest eigenvalue of Σ f fᵀ over the unit vectors f. Zero where no vertex has a direction.
pub fn average(on_points: &[Vec3], mesh: &TetMesh) -> Vec<Vec3> {
    let one = |corners: &[u32; 4]| {
        let mut sum = nalgebra::Matrix3::zeros();
        let mut first: Option<Vec3> = None;
        let mut all_equal = true;
        for &v in corners {
            let Some(f) = on_points.get(v as usize).and_then(|&f| unit(f)) else {
                continue;
            };
            let g = *first.get_or_insert(f);
            all_equal &= g == f;
            let f = nalgebra::Vector3::from(f);
            sum += f * f.transpose();
        }
        let Some(first) = first else {
            return [0.0; 3];
        };
        if all_equal {
            return first;
        }
        let eigen = nalgebra::SymmetricEigen::new(sum);
        let f: Vec3 = eigen
            .eigenvectors
            .column(eigen.eigenvalues.imax())
            .into_owned()
            .into();
        let sign = if dot(f, first) < 0.0 { -1.0 } else { 1.0 };
        unit(scale(sign, f)).unwrap_or([0.0; 3])
    };
    mesh.tetrahedra.iter().map(one).collect()
}

/// Rows xx xy xz yy yz zz from 6 or 9 numbers; 9 must be symmetric.
fn tensors(array: &Array, path: &Path) -> Result<Vec<[f64; 6]>> {
    if array.components == 6 {
        return Ok(array.values.as_chunks::<6>().0.to_vec());
    }
    let one = |(row, t): (usize, &[f64; 9])| {
        let size = t.iter().fold(0.0f64, |a, x| a.max(x.abs()));
        for (i, j) in [(1, 3), (2, 6), (5, 7)] {
            if (t[i] - t[j]).abs() > 1e-9 * size {
                return Err(Error::bad_file(
                    path,
                    format!("array {:?}, row {row}", array.name),
                    format!("the tensor {t:?} is not symmetric"),
                    "store a symmetric velocity tensor",
                ));
            }
        }
        Ok([t[0], t[1], t[2], t[4], t[5], t[8]])
    };
    array
        .values
        .as_chunks::<9>()
        .0
        .iter()
        .enumerate()
        .map(one)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised() {
        for name in [
            "fibres",
            "Fibers",
            "FIBRE",
            "fiberDirection",
            "fiber_directions",
            "Fiber Orientation",
        ] {
            assert!(FIBRES.contains(&plain(name).as_str()), "{name}");
        }
        for name in [
            "tag",
            "Tags",
            "elemTag",
            "region",
            "material-ids",
            "gmsh:physical",
            "domain",
        ] {
            assert!(TAGS.contains(&plain(name).as_str()), "{name}");
        }
        assert_eq!(plain("domains"), "domains");
    }

    #[test]
    fn averaging_is_blind_to_sign() {
        let mesh = TetMesh::new(vec![[0.0; 3]; 4], vec![[0, 1, 2, 3]]);
        // Symmetric about x: ±(cos a, ± sin a, 0) and x itself twice, with mixed signs and lengths.
        let (s, c) = 0.3f64.sin_cos();
        let f = [
            [c, s, 0.0],
            [-2.0 * c, 2.0 * s, 0.0],
            [20.0, 0.0, 0.0],
            [-0.1, 0.0, 0.0],
        ];
        let mean = average(&f, &mesh)[0];
        assert!(
            (mean[0] - 1.0).abs() < 1e-14 && mean[1].abs() < 1e-14,
            "{mean:?}"
        );
        assert_eq!(average(&[[0.0; 3]; 4], &mesh)[0], [0.0; 3]);
    }
}
