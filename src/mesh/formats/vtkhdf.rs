//! VTKHDF, VTK's HDF5 file of unstructured grids, as a mesh format: read and written.
//!
//! ```text
//! /VTKHDF            attributes Version, Type = "UnstructuredGrid"
//!   NumberOfPoints, NumberOfCells, NumberOfConnectivityIds   a number for each piece
//!   Points (n,3) · Connectivity · Offsets (cells + 1 per piece) · Types
//!   PointData/NAME, CellData/NAME                            (rows) or (rows, components)
//! ```
//! Recognised arrays: see [`super::grid`]. Our files state the unit of `Points`. Layout:
//! <https://docs.vtk.org/en/latest/vtk_file_formats/vtkhdf_file_format/index.html>.

use std::path::Path;

use hdf5::types::FixedAscii;
use hdf5::{Group, H5Type};

use super::grid::{Array, Grid, TETRAHEDRON};
use super::hdf5::{create_file, open_file, put_text, reason, write_error};
use super::hdf5_source::Source;
use super::{FileMesh, MeshFormat};
use crate::atomic_file::replace;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::full_matrix;

pub struct VtkHdf;

/// The group that makes an HDF5 file one of VTKHDF.
pub const ROOT: &str = "VTKHDF";

impl MeshFormat for VtkHdf {
    fn name(&self) -> &'static str {
        "VTKHDF"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["vtkhdf"]
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let file = open_file(path, "the file may be truncated; make or copy it again")?;
        let group = file.group(ROOT).map_err(|_| {
            let remedy = "save an unstructured grid as VTKHDF (ParaView 5.12 or newer)";
            Error::bad_file(path, "/VTKHDF", "is missing", remedy)
        })?;
        let reader = Reader {
            path,
            group: &group,
        };
        let points = reader.need("Points")?;
        let unit = points.length_unit()?;
        let mesh = reader.grid(&points)?.into_mesh(path)?;
        Ok(FileMesh { mesh, unit })
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        replace(path, |beside| {
            let failed = |e: hdf5::Error| write_error(path, &e);
            let file = create_file(beside).map_err(failed)?;
            write_group(mesh, &file).map_err(failed)?;
            file.close().map_err(failed)
        })
    }

    fn writes(&self) -> bool {
        true
    }
}

struct Reader<'a> {
    path: &'a Path,
    group: &'a Group,
}

impl<'a> Reader<'a> {
    fn bad(&self, place: &str, problem: impl Into<String>, remedy: &str) -> Error {
        Error::bad_file(self.path, format!("/{ROOT}/{place}"), problem, remedy)
    }

    fn need(&self, name: &str) -> Result<Source<'a>> {
        let found = Source::open(self.group, "/VTKHDF", name, self.path)?;
        found.ok_or_else(|| {
            let remedy = "an unstructured grid has Points, Connectivity, Offsets and Types";
            self.bad(name, "is missing", remedy)
        })
    }

    fn list(&self, name: &str) -> Result<Vec<u32>> {
        Ok(self.need(name)?.integers::<u32, 1>(None)?.into_flattened())
    }

    fn grid(&self, points: &Source) -> Result<Grid> {
        if self.group.link_exists("Steps") {
            let remedy = "save one of its time steps; of a result, give the .h5 beside it";
            return Err(self.bad("Steps", "is a series in time", remedy));
        }
        let mut grid = Grid {
            points: points.floats::<3>(None)?,
            ..Grid::default()
        };
        let [points_of, cells_of, corners_of] =
            ["NumberOfPoints", "NumberOfCells", "NumberOfConnectivityIds"];
        let pieces = (
            self.list(points_of)?,
            self.list(cells_of)?,
            self.list(corners_of)?,
        );
        if pieces.0.len() != pieces.1.len() || pieces.0.len() != pieces.2.len() {
            let problem = format!(
                "{} pieces of points, {} of cells",
                pieces.0.len(),
                pieces.1.len()
            );
            return Err(self.bad(points_of, problem, "the file may be damaged; save it again"));
        }
        let connectivity = self.list("Connectivity")?;
        let offsets = self.list("Offsets")?;
        let types = self.list("Types")?;
        let damaged = |name: &str, problem: String| {
            self.bad(name, problem, "the file may be damaged; save it again")
        };
        // Every piece counts its points, and the places in its connectivity, from 0.
        let (mut first_point, mut first_cell, mut first_corner, mut first_offset) = (0, 0, 0, 0);
        for ((points, cells), corners) in pieces.0.iter().zip(&pieces.1).zip(&pieces.2) {
            let [points, cells, corners] = [*points, *cells, *corners].map(|x| x as usize);
            let own = offsets.get(first_offset..first_offset + cells + 1);
            let own = own.ok_or_else(|| {
                damaged(
                    "Offsets",
                    format!("{} numbers for more cells", offsets.len()),
                )
            })?;
            let ids = connectivity.get(first_corner..first_corner + corners);
            let ids = ids.ok_or_else(|| {
                damaged(
                    "Connectivity",
                    format!("{} numbers for more corners", connectivity.len()),
                )
            })?;
            let kinds = types.get(first_cell..first_cell + cells);
            let kinds =
                kinds.ok_or_else(|| damaged("Types", format!("{} for more cells", types.len())))?;
            grid.cell_types.extend(kinds.iter().map(|&t| f64::from(t)));
            grid.connectivity
                .extend(ids.iter().map(|&v| f64::from(v) + first_point as f64));
            let ends = own[1..]
                .iter()
                .map(|&end| f64::from(end) + first_corner as f64);
            grid.cell_ends.extend(ends);
            first_point += points;
            first_cell += cells;
            first_corner += corners;
            first_offset += cells + 1;
        }
        grid.point_arrays = self.arrays("PointData", grid.points.len())?;
        grid.cell_arrays = self.arrays("CellData", grid.cell_types.len())?;
        Ok(grid)
    }

    /// Arrays of numbers with so many rows; others are passed over.
    fn arrays(&self, name: &str, rows: usize) -> Result<Vec<Array>> {
        let Ok(group) = self.group.group(name) else {
            return Ok(Vec::new());
        };
        let mut arrays = Vec::new();
        let names = group.member_names();
        for array in names.map_err(|e| self.bad(name, reason(&e), "save the file again"))? {
            if group.dataset(&array).is_err() {
                continue;
            }
            let Some(source) = Source::open(&group, &format!("/{ROOT}/{name}"), &array, self.path)?
            else {
                continue;
            };
            let components = match *source.shape() {
                [length] if length == rows => 1,
                [length, components] if length == rows && components > 0 => components,
                _ => continue,
            };
            if source.is_number() {
                arrays.push(Array {
                    name: array,
                    components,
                    values: source.all_floats(rows.saturating_mul(components))?,
                });
            }
        }
        Ok(arrays)
    }
}

/// Makes `/VTKHDF` of this type in an empty file: `name` is what VTK calls it.
pub fn begin<const LENGTH: usize>(file: &Group, name: &str) -> hdf5::Result<Group> {
    let group = file.create_group(ROOT)?;
    let version = group.new_attr::<i64>().shape(2).create("Version")?;
    version.write_raw(&[2i64, 0])?;
    // Of just this length: VTK compares the whole text.
    let text = FixedAscii::<LENGTH>::from_ascii(name)
        .map_err(|e| hdf5::Error::from(format!("attribute Type: {e}")))?;
    group
        .new_attr::<FixedAscii<LENGTH>>()
        .create("Type")?
        .write_scalar(&text)?;
    Ok(group)
}

/// Makes `/VTKHDF` of an unstructured grid of tetrahedra, all but points, corners and data.
pub fn begin_grid(file: &Group, vertices: usize, tetrahedra: usize) -> hdf5::Result<Group> {
    let group = begin::<16>(file, "UnstructuredGrid")?;
    for (name, count) in [
        ("NumberOfPoints", vertices),
        ("NumberOfCells", tetrahedra),
        ("NumberOfConnectivityIds", 4 * tetrahedra),
    ] {
        put(&group, name, 1, &[count as i64])?;
    }
    let ends: Vec<i64> = (0..=tetrahedra as i64).map(|t| 4 * t).collect();
    put(&group, "Offsets", 1, &ends)?;
    put(&group, "Types", 1, &vec![TETRAHEDRON; tetrahedra])?;
    Ok(group)
}

/// Rows of `components` numbers.
fn put<T: H5Type>(group: &Group, name: &str, components: usize, values: &[T]) -> hdf5::Result<()> {
    let shape = [values.len() / components.max(1), components];
    let shape = &shape[..if components == 1 { 1 } else { 2 }];
    let dataset = group.new_dataset::<T>().shape(shape).create(name)?;
    if values.is_empty() {
        return Ok(());
    }
    dataset.write_raw(values)
}

fn write_group(mesh: &TetMesh, file: &Group) -> hdf5::Result<()> {
    let group = begin_grid(file, mesh.vertex_count(), mesh.tetrahedron_count())?;
    put(&group, "Points", 3, mesh.points.as_flattened())?;
    put_text(&group.dataset("Points")?, "unit", "mm")?;
    let corners = mesh.tetrahedra.as_flattened();
    let corners: Vec<i64> = corners.iter().map(|&v| v.into()).collect();
    put(&group, "Connectivity", 1, &corners)?;
    // A slash would be a path.
    let plain = |name: &str| name.replace(['/', '\0'], "_");
    let data = group.create_group("PointData")?;
    if let Some(parts) = &mesh.parts {
        put(&data, "parts", 1, parts)?;
    }
    for (name, field) in &mesh.point_fields {
        put(&data, &plain(name), field.components, &field.values)?;
    }
    let data = group.create_group("CellData")?;
    put(&data, "tags", 1, &mesh.tags)?;
    for (name, vectors) in [("fibres", &mesh.fibres), ("sheets", &mesh.sheets)] {
        if let Some(v) = vectors {
            put(&data, name, 3, v.as_flattened())?;
        }
    }
    if let Some(tensors) = &mesh.velocity_tensor {
        let full: Vec<[f64; 9]> = tensors.iter().map(full_matrix).collect();
        put(&data, "velocity_tensor", 9, full.as_flattened())?;
    }
    if let Some(domains) = &mesh.domains {
        put(&data, "domains", 1, domains)?;
    }
    for (name, field) in &mesh.cell_fields {
        put(&data, &plain(name), field.components, &field.values)?;
    }
    Ok(())
}
