//! VTKHDF beside a result: `/VTKHDF` of links to, and views of, the arrays in the HDF5 file of the
//! same folder, which ParaView opens without a choice of readers.
//!
//! Like XDMF it holds hardly any values and needs the `.h5` beside it under its name. Corners and
//! tensors, which VTK wants in another shape, are virtual datasets; what no view can give is written
//! ([`vtkhdf_steps`](super::vtkhdf_steps)).
//! Layout: <https://docs.vtk.org/en/latest/vtk_file_formats/vtkhdf_file_format/index.html>.

use std::path::Path;

use hdf5::{Group, H5Type, Hyperslab, Selection, SliceOrIndex};

use super::vtkhdf_steps::{DomainHistory, array_offsets, begin_steps, hide, steps_of_mesh};
use super::xdmf::{Centre, Grid, NumberType};
use super::xdmf_cells::Cells;
use crate::atomic_file::Partial;
use crate::error::Result;
use crate::mesh::formats::vtkhdf::{begin, begin_grid};
use crate::mesh::formats::{create_file, write_error};

/// Place of each of nine entries, row by row, in xx xy xz yy yz zz.
const FULL: [usize; 9] = [0, 1, 2, 1, 3, 4, 2, 4, 5];

/// Writes what will be `NAME.vtkhdf` beside the HDF5 file `NAME.h5`, with what `fill` puts there;
/// it is given the name of that file.
fn write(hdf5: &Path, fill: impl FnOnce(&Group, &str) -> hdf5::Result<()>) -> Result<Partial> {
    let path = hdf5.with_extension("vtkhdf");
    let name = hdf5.file_name().unwrap_or_default().to_string_lossy();
    let (partial, _) = Partial::create(&path)?;
    create_file(partial.beside())
        .and_then(|file| {
            fill(&file, &name)?;
            file.close()
        })
        .map_err(|e| write_error(&path, &e))?;
    Ok(partial)
}

/// A mesh with the fields on it; with a `history`, as steps in time.
pub(super) fn write_mesh(
    hdf5: &Path,
    grid: &Grid,
    history: Option<&DomainHistory>,
) -> Result<Partial> {
    write(hdf5, |file, name| {
        let (n, m) = (
            grid.entities(Centre::Vertices),
            grid.entities(Centre::Tetrahedra),
        );
        let group = begin_grid(file, n, m)?;
        group.link_external(name, "/mesh/points", "Points")?;
        let corners = View {
            file: name,
            dataset: "/mesh/tetrahedra",
            number: NumberType::U32,
        };
        corners.whole(&group, "Connectivity", &[m, 4], &[4 * m])?;
        let data = [
            group.create_group("PointData")?,
            group.create_group("CellData")?,
        ];
        if let Some(history) = history {
            history.write(&data[1])?;
        }
        for field in grid.attributes() {
            let data = &data[usize::from(field.centre == Centre::Tetrahedra)];
            let shown = field.dataset.rsplit('/').next().unwrap_or(&field.dataset);
            if data.link_exists(shown) {
                continue;
            }
            if field.components == 6 {
                let view = View {
                    file: name,
                    dataset: &field.dataset,
                    number: field.number,
                };
                view.tensors(data, shown, grid.entities(field.centre))?;
            } else {
                data.link_external(name, &field.dataset, shown)?;
            }
        }
        match history {
            Some(h) => steps_of_mesh(&group, h.values.len(), &h.name, m),
            None => Ok(()),
        }
    })
}

/// Cells of a grid, with frames of them in time where there are some.
pub(super) fn write_cells(hdf5: &Path, cells: &Cells) -> Result<Partial> {
    write(hdf5, |file, name| {
        let group = begin::<9>(file, "ImageData")?;
        let grid = cells.grid();
        let [nz, ny, nx] = grid.shape;
        let [dz, dy, dx] = grid.spacing;
        let extent = [0, nx as i64, 0, ny as i64, 0, nz as i64];
        let numbers = |name: &str, values: &[f64]| {
            let attribute = group.new_attr::<f64>().shape(values.len()).create(name)?;
            attribute.write_raw(values)
        };
        let attribute = group.new_attr::<i64>().shape(6).create("WholeExtent")?;
        attribute.write_raw(&extent)?;
        numbers("Origin", &grid.origin)?;
        numbers("Spacing", &[dx, dy, dz])?;
        numbers("Direction", &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])?;
        let data = group.create_group("CellData")?;
        let shape = cells.file_shape();
        let frames = cells.frames().filter(|f| !f.times.is_empty());
        let steps = frames.map_or(0, |f| f.times.len());
        let with_time = |count: usize, shape: &[usize]| [&[count], shape].concat();
        for variable in frames.iter().flat_map(|f| &f.variables) {
            let view = View {
                file: name,
                dataset: &format!("/fk/frames/{variable}"),
                number: NumberType::F32,
            };
            let shown = with_time(steps, &[nz, ny, nx]);
            view.whole(&data, variable, &with_time(steps, shape), &shown)?;
        }
        for (dataset, number) in cells.fields() {
            let shown = dataset.rsplit('/').next().unwrap_or(dataset);
            let shown = match data.link_exists(shown) {
                true => format!("final {shown}"),
                false => shown.to_owned(),
            };
            let view = View {
                file: name,
                dataset,
                number: *number,
            };
            let full = [nz, ny, nx];
            match steps {
                0 => view.whole(&data, &shown, shape, &full)?,
                _ => view.whole(&data, &shown, shape, &with_time(1, &full))?,
            }
        }
        if let Some(active) = cells.active() {
            let full = [nz, ny, nx];
            match steps {
                0 => hide(&data, active, &full)?,
                _ => hide(&data, active, &with_time(1, &full))?,
            }
        }
        if steps > 0 {
            let made = begin_steps(&group, steps)?;
            made.link_external(name, "/fk/frames/time", "Values")?;
            let moves = |name: &str| frames.is_some_and(|f| f.variables.iter().any(|v| v == name));
            array_offsets(&group, &made, "CellData", steps, |name| moves(name).into())?;
        }
        Ok(())
    })
}

/// A dataset of the file beside, seen in another shape.
struct View<'a> {
    file: &'a str,
    dataset: &'a str,
    number: NumberType,
}

impl View<'_> {
    /// All of its numbers in this order.
    fn whole(&self, to: &Group, name: &str, stored: &[usize], seen: &[usize]) -> hdf5::Result<()> {
        let all = || Selection::All;
        self.create(to, name, stored, seen, [(all(), all())])
    }

    /// All nine entries of symmetric tensors.
    fn tensors(&self, to: &Group, name: &str, rows: usize) -> hdf5::Result<()> {
        let column = |c: usize| {
            let rows = SliceOrIndex::from(0..rows);
            Selection::from(Hyperslab::from(vec![rows, (c..c + 1).into()]))
        };
        let columns = (0..9).map(|seen| (column(FULL[seen]), column(seen)));
        self.create(to, name, &[rows, 6], &[rows, 9], columns)
    }

    fn create(
        &self,
        to: &Group,
        name: &str,
        stored: &[usize],
        seen: &[usize],
        maps: impl IntoIterator<Item = (Selection, Selection)>,
    ) -> hdf5::Result<()> {
        let number = match self.number {
            NumberType::F32 => f32::type_descriptor(),
            NumberType::F64 => f64::type_descriptor(),
            NumberType::I32 => i32::type_descriptor(),
            NumberType::U32 => u32::type_descriptor(),
        };
        let mut dataset = to.new_dataset_builder().empty_as(&number);
        for (from, into) in maps {
            dataset = dataset.virtual_map(self.file, self.dataset, stored, from, seen, into);
        }
        dataset.shape(seen).create(name).map(|_| ())
    }
}
