//! Result files in HDF5, written by rank 0, with files beside for ParaView (XDMF, VTKHDF).

use std::path::Path;

use hdf5::types::{FixedUnicode, VarLenUnicode};
use hdf5::{File, H5Type, Location};

use super::vtkhdf;
use super::vtkhdf_steps::DomainHistory;
use super::xdmf::{self, Centre, Grid, NumberType};
use super::xdmf_cells::{Cells, Frames};
use crate::atomic_file::Partial;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::formats::{self, write_error};
use crate::monodomain::grid;

/// A number that a field of cells consists of.
pub trait CellValue: H5Type {
    const NUMBER: NumberType;
}

impl CellValue for f32 {
    const NUMBER: NumberType = NumberType::F32;
}

impl CellValue for f64 {
    const NUMBER: NumberType = NumberType::F64;
}

impl CellValue for u32 {
    const NUMBER: NumberType = NumberType::U32;
}

/// A result file being written: `NAME.h5.partial` until [`ResultFile::finish`]; dropped before, it
/// leaves nothing.
///
/// Arrays are stored contiguous and uncompressed: writing and reading run at the speed of the disk.
pub struct ResultFile {
    // Closed before `partial` removes it.
    file: Option<File>,
    partial: Partial,
    on: Shown,
    history: Option<DomainHistory>,
    companions: Companions,
}

/// Files beside a result by which other programs see its mesh or grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Companions {
    pub xdmf: bool,
    pub vtkhdf: bool,
}

/// What the companions show.
enum Shown {
    Nothing,
    Mesh(Grid),
    Cells(Cells),
}

impl ResultFile {
    /// Starts the file that will be `path`.
    ///
    /// # Errors
    /// [`Error::Io`] with the path: no folder, no permission, disk full; so of all methods here.
    pub fn create(path: &Path) -> Result<Self> {
        // Created by the system first, whose reason for a refusal is the clearer one.
        let (partial, _) = Partial::create(path)?;
        let file = formats::create_file(partial.beside()).map_err(|e| write_error(path, &e))?;
        Ok(Self {
            file: Some(file),
            partial,
            on: Shown::Nothing,
            history: None,
            companions: Companions {
                xdmf: true,
                vtkhdf: false,
            },
        })
    }

    /// Chooses the files beside it; else XDMF alone.
    pub fn companions(&mut self, companions: Companions) {
        self.companions = companions;
    }

    /// The final name.
    pub fn path(&self) -> &Path {
        self.partial.path()
    }

    /// Changes the final name, in the same folder.
    pub(super) fn rename(&mut self, path: &Path) {
        self.partial.rename(path);
    }

    /// Writes `/mesh`, without further fields that the mesh may carry: a result holds its own. Once,
    /// before any [`field`](Self::field).
    ///
    /// # Errors
    /// [`Error::Io`]; so of all methods here.
    pub fn mesh(&mut self, mesh: &TetMesh) -> Result<()> {
        let path = self.path().to_owned();
        formats::write_group(mesh, self.file()?, &path)?;
        self.shows_mesh(mesh.vertex_count(), mesh.tetrahedron_count())
    }

    /// Shows the mesh in the file, with what it has on its tetrahedra and vertices.
    pub(super) fn shows_mesh(&mut self, vertices: usize, tetrahedra: usize) -> Result<()> {
        let mut grid = Grid::new(vertices, tetrahedra);
        let file = self.file()?;
        for (name, centre, components, number) in [
            ("tags", Centre::Tetrahedra, 1, NumberType::I32),
            ("domains", Centre::Tetrahedra, 1, NumberType::U32),
            ("fibres", Centre::Tetrahedra, 3, NumberType::F64),
            ("sheets", Centre::Tetrahedra, 3, NumberType::F64),
            ("velocity_tensor", Centre::Tetrahedra, 6, NumberType::F64),
            ("parts", Centre::Vertices, 1, NumberType::U32),
        ] {
            let dataset = format!("/mesh/{name}");
            if file.link_exists(&dataset) {
                grid.add(&dataset, centre, components, number);
            }
        }
        self.on = Shown::Mesh(grid);
        Ok(())
    }

    /// Writes values on the vertices or tetrahedra of the mesh, `entities × components`, to
    /// `dataset` ("/fields/activation_time"), and shows them in the XDMF file.
    ///
    /// # Errors
    /// [`Error::Bug`] where the values do not fit the mesh.
    pub fn field(
        &mut self,
        dataset: &str,
        centre: Centre,
        components: usize,
        values: &[f64],
        unit: &str,
    ) -> Result<()> {
        let entities = values.len() / components.max(1);
        match &mut self.on {
            Shown::Mesh(grid) if grid.entities(centre) == entities => {
                grid.add(dataset, centre, components, NumberType::F64);
            }
            _ => {
                return Err(Error::Bug(format!(
                    "{dataset}: {entities} values do not fit the mesh in the file"
                )));
            }
        }
        let shape = [entities, components];
        self.dataset(
            dataset,
            &shape[..if components == 1 { 1 } else { 2 }],
            values,
            unit,
        )?;
        // Tells a reader of the mesh what the values lie on.
        self.short_text(dataset, "on", centre.name())
    }

    /// Shows a field of one number for each vertex or tetrahedron.
    pub(super) fn shows_field(&mut self, dataset: &str, centre: Centre) {
        if let Shown::Mesh(grid) = &mut self.on {
            grid.add(dataset, centre, 1, NumberType::F64);
        }
    }

    /// Shows a field of tetrahedra as it was in every step of a run, where the companions can: of each
    /// step its value in each domain.
    pub fn history(&mut self, name: &str, domains: &[u32], values: Vec<Vec<f64>>) {
        if self.companions.vtkhdf && !values.is_empty() {
            self.history = Some(DomainHistory {
                name: name.into(),
                domains: domains.to_vec(),
                values,
            });
        }
    }

    /// Makes it a file of cells, with frames of them where there are some. Once, before any
    /// [`cell_field`](Self::cell_field).
    pub fn cells(&mut self, grid: &grid::Grid, frames: Option<Frames>) {
        self.on = Shown::Cells(Cells::new(grid, frames));
    }

    /// Hides the cells that are not tissue, where the companions can.
    pub fn only_cells(&mut self, active: &[bool]) {
        if let (Shown::Cells(cells), true) = (&mut self.on, self.companions.vtkhdf) {
            cells.only(active);
        }
    }

    /// Writes one value per cell to `dataset` ("/fk/u"), in the shape of the grid, and shows it in
    /// the XDMF file.
    ///
    /// # Errors
    /// [`Error::Bug`] where the file has no cells, or the values are not as many.
    pub fn cell_field<T: CellValue>(
        &mut self,
        dataset: &str,
        values: &[T],
        unit: &str,
    ) -> Result<()> {
        let Shown::Cells(cells) = &mut self.on else {
            return Err(Error::Bug(format!("{dataset}: the file has no cells")));
        };
        cells.add(dataset, T::NUMBER);
        let shape = cells.file_shape().to_vec();
        self.dataset(dataset, &shape, values, unit)
    }

    /// Writes an array of `shape` to `dataset` ("/gradient/gamma"), making the groups above it;
    /// once for each.
    ///
    /// # Errors
    /// [`Error::Bug`] where the values do not fill the shape.
    pub fn dataset<T: H5Type>(
        &self,
        dataset: &str,
        shape: &[usize],
        values: &[T],
        unit: &str,
    ) -> Result<()> {
        if shape.iter().product::<usize>() != values.len() {
            return Err(Error::Bug(format!(
                "{dataset}: {} values for the shape {shape:?}",
                values.len()
            )));
        }
        let failed = |e| write_error(self.path(), &e);
        let file = self.file()?;
        self.groups_above(dataset)?;
        let created = file
            .new_dataset::<T>()
            .shape(shape)
            .create(dataset)
            .map_err(failed)?;
        if !values.is_empty() {
            created.write_raw(values).map_err(failed)?;
        }
        self.short_text(dataset, "unit", unit)
    }

    /// Makes the groups above `dataset` that are not there.
    pub(super) fn groups_above(&self, dataset: &str) -> Result<()> {
        let file = self.file()?;
        let mut end = 0;
        while let Some(next) = dataset[end + 1..].find('/') {
            end += 1 + next;
            if !file.link_exists(&dataset[..end]) {
                file.create_group(&dataset[..end])
                    .map_err(|e| write_error(self.path(), &e))?;
            }
        }
        Ok(())
    }

    /// Writes a text attribute of `object` ("/" for the file, or a group or dataset in it).
    pub fn text(&self, object: &str, name: &str, text: &str) -> Result<()> {
        // HDF5's strings end at a zero.
        let text: VarLenUnicode = text
            .replace('\0', "\u{fffd}")
            .parse()
            .map_err(|e| Error::Bug(format!("attribute {name}: {e}")))?;
        self.attribute(object, name, &text)
    }

    /// Writes a number as an attribute of `object`.
    pub fn number<T: H5Type>(&self, object: &str, name: &str, number: T) -> Result<()> {
        self.attribute(object, name, &number)
    }

    /// Writes attributes of the file that tell where its content comes from: version, date,
    /// configuration, …
    pub fn provenance(&self, entries: &[(String, String)]) -> Result<()> {
        entries
            .iter()
            .try_for_each(|(name, value)| self.text("/", name, value))
    }

    /// Completes the file, with its companions beside if it holds a mesh or cells.
    pub fn finish(mut self) -> Result<()> {
        if let Some(file) = self.file.take() {
            // Closing alone does not say when a chunk that waited in memory was not written.
            let closed = file.flush().and_then(|()| file.close());
            closed.map_err(|e| write_error(self.path(), &e))?;
        }
        // All are on the disk before any has its name.
        let path = self.path();
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let mut beside = Vec::new();
        match (&self.on, self.companions) {
            (Shown::Nothing, _) => {}
            (Shown::Mesh(grid), Companions { xdmf, vtkhdf }) => {
                if xdmf {
                    beside.push(xdmf::write(path, &grid.xml(&name))?);
                }
                if vtkhdf {
                    beside.push(vtkhdf::write_mesh(path, grid, self.history.as_ref())?);
                }
            }
            (Shown::Cells(cells), Companions { xdmf, vtkhdf }) => {
                if xdmf {
                    beside.push(xdmf::write(path, &cells.xml(&name))?);
                }
                if vtkhdf {
                    beside.push(vtkhdf::write_cells(path, cells)?);
                }
            }
        }
        self.partial.complete()?;
        beside.into_iter().try_for_each(Partial::complete)
    }

    pub(super) fn file(&self) -> Result<&File> {
        let closed = || Error::Bug("result file used after its end".into());
        self.file.as_ref().ok_or_else(closed)
    }

    /// Text that reading a mesh depends on: of fixed length, since HDF5 keeps texts of variable
    /// length in a heap without checksums and may crash where that is damaged.
    pub(super) fn short_text(&self, dataset: &str, name: &str, text: &str) -> Result<()> {
        match text.parse::<FixedUnicode<32>>() {
            Ok(fixed) => self.attribute(dataset, name, &fixed),
            Err(_) => self.text(dataset, name, text),
        }
    }

    fn attribute<T: H5Type>(&self, object: &str, name: &str, value: &T) -> Result<()> {
        let failed = |e| write_error(self.path(), &e);
        let file = self.file()?;
        let put = |location: &Location| location.new_attr::<T>().create(name)?.write_scalar(value);
        if let Ok(dataset) = file.dataset(object) {
            put(&dataset).map_err(failed)
        } else {
            put(&*file.group(object).map_err(failed)?).map_err(failed)
        }
    }
}
