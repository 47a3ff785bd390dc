//! Voxelised meshes in HDF5, with an XDMF file beside for ParaView.
//!
//! ```text
//! /grid                 attributes shape (z, y, x), spacing (z, y, x), origin (x, y, z; the low
//!                       corner of the box), unit = mm
//! /voxels/active        u8 (z,y,x), not 0 where there is tissue
//! /voxels/tetrahedron   u32 (z,y,x)   optional, 2³² − 1 outside
//! /voxels/tags          i32 (z,y,x)   optional, none: 0
//! /voxels/domains       u32 (z,y,x)   optional, none: 0
//! /voxels/gamma         f64 (z,y,x)   optional, none: 1
//! /voxels/fibres, sheets  f64 (z,y,x,3)  optional, unit vectors
//! /voxels               attribute mesh_volume, mm³, optional
//! ```
//! Values outside the tissue mean nothing. Datasets are compressed, one layer of cells in a chunk
//! or several, and written and read layer by layer: memory is that of the tissue.

use std::fmt::Write as _;
use std::path::Path;

use hdf5::types::FixedAscii;
use hdf5::{Dataset, File, Group, H5Type, Hyperslab, SliceOrIndex};
use ndarray::{ArrayView, ArrayViewD, IxDyn};
use quick_xml::escape::escape;

use super::xdmf::{self, NumberType};
use crate::atomic_file::Partial;
use crate::error::{Error, Result};
use crate::mesh::formats::{Hdf5Source, create_file, open_file, write_error};
use crate::monodomain::grid::Grid;
use crate::monodomain::voxels::Voxels;
use crate::tensor::Vec3;

/// Cells of a chunk along y and x, at most.
const CHUNK: usize = 512;

const NO_TETRAHEDRON: u32 = u32::MAX;

/// Writes `path`, and the XDMF file beside.
///
/// # Errors
/// [`Error::Io`] with the path: no folder, no permission, disk full.
pub fn write_voxels(voxels: &Voxels, path: &Path) -> Result<()> {
    let (partial, _) = Partial::create(path)?;
    put(voxels, partial.beside()).map_err(|e| write_error(path, &e))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let xdmf = xdmf::write(path, &xml(voxels, &name))?;
    partial.complete()?;
    xdmf.complete()
}

fn put(voxels: &Voxels, beside: &Path) -> hdf5::Result<()> {
    let file = create_file(beside)?;
    let grid = file.create_group("grid")?;
    let list = |name: &str, values: [f64; 3]| {
        grid.new_attr_builder()
            .with_data(&values)
            .create(name)
            .map(drop)
    };
    grid.new_attr_builder()
        .with_data(&voxels.grid.shape.map(|n| n as u64))
        .create("shape")?;
    list("spacing", voxels.grid.spacing)?;
    list("origin", voxels.grid.origin)?;
    put_unit(&grid, "mm")?;
    let group = file.create_group("voxels")?;
    (group.new_attr::<f64>().create("mesh_volume")?).write_scalar(&voxels.mesh_volume)?;
    let to = Target {
        voxels,
        group: &group,
    };
    let active = vec![[1u8]; voxels.cells.len()];
    to.put("active", &active, [0], "1")?;
    to.put(
        "tetrahedron",
        one(&voxels.tetrahedron),
        [NO_TETRAHEDRON],
        "1",
    )?;
    to.put("tags", one(&voxels.tags), [0], "1")?;
    to.put("domains", one(&voxels.domains), [0], "1")?;
    to.put("gamma", one(&voxels.gamma), [0.0], "1")?;
    if let Some(fibres) = &voxels.fibres {
        to.put("fibres", fibres, [0.0; 3], "1")?;
    }
    if let Some(sheets) = &voxels.sheets {
        to.put("sheets", sheets, [0.0; 3], "1")?;
    }
    drop((grid, group));
    file.close()
}

/// Numbers as rows of one.
fn one<T>(values: &[T]) -> &[[T; 1]] {
    values.as_chunks().0
}

fn put_unit(location: &hdf5::Location, unit: &str) -> hdf5::Result<()> {
    let text = FixedAscii::<16>::from_ascii(unit)
        .map_err(|e| hdf5::Error::from(format!("attribute unit: {e}")))?;
    (location.new_attr::<FixedAscii<16>>().create("unit")?).write_scalar(&text)
}

struct Target<'a> {
    voxels: &'a Voxels,
    group: &'a Group,
}

impl Target<'_> {
    /// Writes a row per cell in the tissue, `outside` elsewhere.
    fn put<T: H5Type + Copy, const C: usize>(
        &self,
        name: &str,
        rows: &[[T; C]],
        outside: [T; C],
        unit: &str,
    ) -> hdf5::Result<()> {
        let [nz, ny, nx] = self.voxels.grid.shape;
        let chunk = [1, ny.min(CHUNK), nx.min(CHUNK), C];
        let shape = [nz, ny, nx, C];
        let axes = if C == 1 { 3 } else { 4 };
        let dataset = (self.group.new_dataset::<T>())
            .shape(&shape[..axes])
            .chunk(&chunk[..axes])
            .shuffle()
            .deflate(4)
            .create(name)?;
        let mut next = 0;
        for z in 0..nz {
            let mut layer = vec![outside; ny * nx];
            while let Some(&cell) = self.voxels.cells.get(next)
                && (cell as usize) < (z + 1) * ny * nx
            {
                layer[cell as usize - z * ny * nx] = rows[next];
                next += 1;
            }
            let view: ArrayViewD<T> =
                ArrayView::from_shape(IxDyn(&[1, ny, nx, C][..axes]), layer.as_flattened())
                    .map_err(|e| hdf5::Error::from(e.to_string()))?;
            dataset.write_slice(view, layer_of(z, &shape[..axes]))?;
        }
        put_unit(&dataset, unit)
    }
}

/// Layer `z` of an array.
fn layer_of(z: usize, shape: &[usize]) -> Hyperslab {
    let along = |start, count| SliceOrIndex::SliceCount {
        start,
        step: 1,
        count,
        block: 1,
    };
    let mut axes = vec![along(z, 1)];
    axes.extend(shape[1..].iter().map(|&n| along(0, n)));
    axes.into()
}

/// The voxelised mesh of a file.
///
/// # Errors
/// [`Error::MissingInput`]; [`Error::BadFile`] where the file is not HDF5 or damaged, has no
/// `/grid` or `/voxels/active`, arrays of another shape than the grid's, numbers that cannot be, or
/// no tissue.
pub fn read_voxels(path: &Path) -> Result<Voxels> {
    let file = open_file(path, "make it with `isochrone mesh voxelize`")?;
    let grid = read_grid(&file, path)?;
    let Ok(group) = file.group("voxels") else {
        return Err(bad(path, "/voxels", "is missing"));
    };
    let from = Origin {
        group: &group,
        path,
        grid: &grid,
    };
    let Some(active) = from.open("active", 1)? else {
        return Err(bad(path, "dataset /voxels/active", "is missing"));
    };
    let [_, ny, nx] = grid.shape;
    let mut cells = Vec::new();
    for z in 0..grid.shape[0] {
        let layer = from.layer::<i64>(&active, "active", z)?;
        let tissue = layer.iter().enumerate().filter(|(_, a)| **a != 0);
        // Fits: checked with the grid.
        cells.extend(tissue.map(|(i, _)| (z * ny * nx + i) as u32));
    }
    if cells.is_empty() {
        return Err(bad(path, "dataset /voxels/active", "no cell is tissue"));
    }
    let gamma = from.numbers::<1>("gamma", &cells)?;
    let gamma = match gamma {
        Some(gamma) => gamma.into_flattened(),
        None => vec![1.0; cells.len()],
    };
    if let Some(row) = gamma.iter().position(|g| !(g.is_finite() && *g > 0.0)) {
        let problem = format!("{} is not positive", gamma[row]);
        let place = format!(
            "dataset /voxels/gamma, cell {:?}",
            grid.place(cells[row] as usize)
        );
        return Err(bad(path, &place, &problem));
    }
    let mesh_volume = group
        .attr("mesh_volume")
        .and_then(|a| a.read_scalar::<f64>());
    Ok(Voxels {
        tetrahedron: from.integers("tetrahedron", &cells, NO_TETRAHEDRON)?,
        tags: from.integers("tags", &cells, 0)?,
        domains: from.integers("domains", &cells, 0)?,
        gamma,
        fibres: from.numbers::<3>("fibres", &cells)?,
        sheets: from.numbers::<3>("sheets", &cells)?,
        mesh_volume: mesh_volume
            .unwrap_or(cells.len() as f64 * grid.spacing.iter().product::<f64>()),
        cells,
        grid,
    })
}

fn bad(path: &Path, place: &str, problem: &str) -> Error {
    let remedy = "make the file with `isochrone mesh voxelize`";
    Error::bad_file(path, place, problem, remedy)
}

fn read_grid(file: &File, path: &Path) -> Result<Grid> {
    let Ok(group) = file.group("grid") else {
        return Err(bad(path, "/grid", "is missing"));
    };
    let three = |name: &str| -> Result<[f64; 3]> {
        let values = group.attr(name).and_then(|a| a.read_raw::<f64>());
        values
            .ok()
            .and_then(|v| <[f64; 3]>::try_from(v).ok())
            .filter(|v| v.iter().all(|x| x.is_finite()))
            .ok_or_else(|| {
                let place = format!("/grid, attribute {name}");
                bad(path, &place, "is missing, or not three finite numbers")
            })
    };
    let (shape, spacing, origin): (_, _, Vec3) =
        (three("shape")?, three("spacing")?, three("origin")?);
    let whole = |n: &f64| *n >= 1.0 && n.fract() == 0.0;
    if !shape.iter().all(whole) || shape.iter().product::<f64>() > f64::from(u32::MAX) {
        let problem = format!("{shape:?} is no shape of a grid of up to 2³² cells");
        return Err(bad(path, "/grid, attribute shape", &problem));
    }
    if !spacing.iter().all(|h| *h > 0.0) {
        let problem = format!("{spacing:?} is not positive");
        return Err(bad(path, "/grid, attribute spacing", &problem));
    }
    Ok(Grid {
        shape: shape.map(|n| n as usize),
        spacing,
        origin,
        periodic: [false; 3],
        dimensions: 3,
    })
}

struct Origin<'a> {
    group: &'a Group,
    path: &'a Path,
    grid: &'a Grid,
}

impl Origin<'_> {
    /// The dataset, checked to be numbers of the grid's shape with `components` behind.
    fn open(&self, name: &str, components: usize) -> Result<Option<Dataset>> {
        let Some(source) = Hdf5Source::open(self.group, "/voxels", name, self.path)? else {
            return Ok(None);
        };
        let mut shape = self.grid.shape.to_vec();
        if components > 1 {
            shape.push(components);
        }
        if source.shape() != shape {
            let problem = format!("has the shape {:?}, not {shape:?}", source.shape());
            return Err(bad(self.path, &format!("dataset /voxels/{name}"), &problem));
        }
        source.is_filled()?;
        let dataset = self.group.dataset(name);
        Ok(Some(dataset.map_err(|e| self.unreadable(name, &e))?))
    }

    fn layer<T: H5Type>(&self, dataset: &Dataset, name: &str, z: usize) -> Result<Vec<T>> {
        let layer = layer_of(z, &dataset.shape());
        let array = dataset.read_slice::<T, _, IxDyn>(layer);
        let array = array.map_err(|e| self.unreadable(name, &e))?;
        Ok(array.into_raw_vec_and_offset().0)
    }

    fn unreadable(&self, name: &str, e: &hdf5::Error) -> Error {
        let text = e.to_string();
        let reason = text.lines().next().unwrap_or("cannot be read");
        bad(self.path, &format!("dataset /voxels/{name}"), reason)
    }

    /// The values of `cells`, `components` each.
    fn of_cells<T: H5Type + Copy, const C: usize>(
        &self,
        name: &str,
        cells: &[u32],
    ) -> Result<Option<Vec<[T; C]>>> {
        let Some(dataset) = self.open(name, C)? else {
            return Ok(None);
        };
        let [nz, ny, nx] = self.grid.shape;
        let mut rows = Vec::with_capacity(cells.len());
        for z in 0..nz {
            let layer = self.layer::<T>(&dataset, name, z)?;
            let (layer, begin) = (layer.as_chunks::<C>().0, z * ny * nx);
            while let Some(&cell) = cells.get(rows.len())
                && (cell as usize) < begin + ny * nx
            {
                rows.push(layer[cell as usize - begin]);
            }
        }
        Ok(Some(rows))
    }

    fn numbers<const C: usize>(&self, name: &str, cells: &[u32]) -> Result<Option<Vec<[f64; C]>>> {
        self.of_cells::<f64, C>(name, cells)
    }

    /// Whole numbers, without HDF5's silent clamping of what does not fit.
    fn integers<T: TryFrom<i64> + Copy>(
        &self,
        name: &str,
        cells: &[u32],
        missing: T,
    ) -> Result<Vec<T>> {
        let Some(values) = self.of_cells::<i64, 1>(name, cells)? else {
            return Ok(vec![missing; cells.len()]);
        };
        let converted = values.into_iter().zip(cells).map(|([value], &cell)| {
            T::try_from(value).map_err(|_| {
                let cell = self.grid.place(cell as usize);
                let place = format!("dataset /voxels/{name}, cell {cell:?}");
                bad(self.path, &place, &format!("{value} is out of range"))
            })
        });
        converted.collect()
    }
}

fn xml(voxels: &Voxels, hdf5_name: &str) -> String {
    let [nz, ny, nx] = voxels.grid.shape;
    let [dz, dy, dx] = voxels.grid.spacing;
    let [ox, oy, oz] = voxels.grid.origin;
    let three = r#"<DataItem Format="XML" NumberType="Float" Precision="8" Dimensions="3">"#;
    let mut xml = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<Xdmf Version="2.0">
  <Domain>
    <Grid Name="voxels" GridType="Uniform">
      <Topology TopologyType="3DCoRectMesh" Dimensions="{} {} {}"/>
      <Geometry GeometryType="ORIGIN_DXDYDZ">
        {three}{oz} {oy} {ox}</DataItem>
        {three}{dz} {dy} {dx}</DataItem>
      </Geometry>
"#,
        nz + 1,
        ny + 1,
        nx + 1
    );
    let byte = r#"NumberType="UChar" Precision="1""#;
    let (int, whole) = (NumberType::I32.xdmf(), NumberType::U32.xdmf());
    let float = NumberType::F64.xdmf();
    for (name, number, is_vector, is_there) in [
        ("active", byte, false, true),
        ("tetrahedron", whole, false, true),
        ("tags", int, false, true),
        ("domains", whole, false, true),
        ("gamma", float, false, true),
        ("fibres", float, true, voxels.fibres.is_some()),
        ("sheets", float, true, voxels.sheets.is_some()),
    ] {
        let (kind, columns) = if is_vector {
            ("Vector", " 3")
        } else {
            ("Scalar", "")
        };
        if is_there {
            // Writing to a String cannot fail.
            let _ = write!(
                xml,
                r#"      <Attribute Name="{name}" AttributeType="{kind}" Center="Cell">
        <DataItem Format="HDF" {number} Dimensions="{nz} {ny} {nx}{columns}">{}:/voxels/{name}</DataItem>
      </Attribute>
"#,
                escape(hdf5_name)
            );
        }
    }
    xml + "    </Grid>\n  </Domain>\n</Xdmf>\n"
}

#[cfg(test)]
mod tests;
