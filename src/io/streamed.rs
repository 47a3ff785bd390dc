//! A result file on a mesh that no rank holds: rank 0 copies the mesh from its file, and receives
//! the values, block by block.

use std::ops::Range;
use std::path::Path;

use hdf5::{Dataset, File, H5Type};

use super::hdf5::ResultFile;
use super::xdmf::Centre;
use crate::error::{Error, Result};
use crate::mesh::formats::write_error;

/// Rows of a block.
pub const BLOCK: usize = 1 << 18;

impl ResultFile {
    /// Copies `/mesh` from the mesh file `from`, all but the domains; `domains` gives those of the
    /// tetrahedra of some tags, or nothing where the stored ones are to be copied.
    pub fn copy_mesh(
        &mut self,
        from: &Path,
        size: [usize; 2],
        domains: impl Fn(&[i32]) -> Option<Vec<u32>>,
    ) -> Result<()> {
        let damaged = |e: hdf5::Error| {
            let problem = e.to_string();
            Error::bad_file(from, "/mesh", problem, "make the mesh again")
        };
        let mesh = File::open(from)
            .and_then(|f| f.group("mesh"))
            .map_err(damaged)?;
        let source = |name: &str| -> Result<Option<Dataset>> {
            let there = mesh.link_exists(name);
            there
                .then(|| mesh.dataset(name).map_err(damaged))
                .transpose()
        };
        let [n, m] = size;
        let copy = |file: &Self, name: &str, unit: &str| -> Result<()> {
            let Some(source) = source(name)? else {
                return Ok(());
            };
            match name {
                "tetrahedra" | "parts" => file.copy::<u32>(&source, name, unit, &damaged),
                "tags" => file.copy::<i32>(&source, name, unit, &damaged),
                _ => file.copy::<f64>(&source, name, unit, &damaged),
            }
        };
        for (name, unit) in [
            ("points", "mm"),
            ("tetrahedra", "1"),
            ("tags", "1"),
            ("fibres", "1"),
            ("sheets", "1"),
            ("velocity_tensor", "mm2/ms2"),
        ] {
            copy(self, name, unit)?;
        }
        let (tags, stored) = (source("tags")?, source("domains")?);
        let written = self.empty::<u32>("/mesh/domains", &[m], "1")?;
        for rows in blocks(m) {
            let tags = match &tags {
                Some(tags) => tags
                    .read_slice_1d::<i32, _>(rows.clone())
                    .map_err(damaged)?,
                None => ndarray::Array1::zeros(rows.len()),
            };
            let values = match (domains(&tags.to_vec()), &stored) {
                (Some(values), _) => ndarray::Array1::from_vec(values),
                (None, Some(stored)) => stored.read_slice_1d(rows.clone()).map_err(damaged)?,
                (None, None) => ndarray::Array1::zeros(rows.len()),
            };
            let failed = |e| write_error(self.path(), &e);
            written.write_slice(&values, rows).map_err(failed)?;
        }
        copy(self, "parts", "1")?;
        self.shows_mesh(n, m)
    }

    /// Copies a dataset of `/mesh`, block by block.
    fn copy<T: H5Type + Clone>(
        &self,
        source: &Dataset,
        name: &str,
        unit: &str,
        damaged: &dyn Fn(hdf5::Error) -> Error,
    ) -> Result<()> {
        let shape = source.get_shape().map_err(damaged)?;
        let to = self.empty::<T>(&format!("/mesh/{name}"), &shape, unit)?;
        let failed = |e| write_error(self.path(), &e);
        for rows in blocks(shape[0]) {
            if shape.len() == 1 {
                let values = source
                    .read_slice_1d::<T, _>(rows.clone())
                    .map_err(damaged)?;
                to.write_slice(&values, rows).map_err(failed)?;
            } else {
                let values = (source.read_slice_2d::<T, _>((rows.clone(), ..))).map_err(damaged)?;
                to.write_slice(&values, (rows, ..)).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Begins a field on the vertices, one number each, to be filled with
    /// [`fill_field`](Self::fill_field).
    pub fn begin_field(&mut self, dataset: &str, vertices: usize, unit: &str) -> Result<()> {
        self.empty::<f64>(dataset, &[vertices], unit)?;
        self.shows_field(dataset, Centre::Vertices);
        self.short_text(dataset, "on", Centre::Vertices.name())
    }

    /// Writes a block of such a field.
    pub fn fill_field(&self, dataset: &str, rows: Range<usize>, values: &[f64]) -> Result<()> {
        let failed = |e| write_error(self.path(), &e);
        let to = self.file()?.dataset(dataset).map_err(failed)?;
        let values = ndarray::ArrayView1::from(values);
        to.write_slice(values, rows).map_err(failed)
    }

    fn empty<T: H5Type>(&self, dataset: &str, shape: &[usize], unit: &str) -> Result<Dataset> {
        let failed = |e| write_error(self.path(), &e);
        self.groups_above(dataset)?;
        let created =
            (self.file()?.new_dataset::<T>().shape(shape).create(dataset)).map_err(failed)?;
        self.short_text(dataset, "unit", unit)?;
        Ok(created)
    }
}

/// Rows 0 to `count` in blocks.
pub fn blocks(count: usize) -> impl Iterator<Item = Range<usize>> {
    (0..count)
        .step_by(BLOCK)
        .map(move |start| start..count.min(start + BLOCK))
}
