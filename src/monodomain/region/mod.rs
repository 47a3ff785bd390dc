//! Which cells a region of the configuration has.

mod band;
#[cfg(test)]
mod tests;

use std::ops::Range;

use band::{Band, span};

use super::grid::Grid;
use super::options::{DatasetOptions, Parameters, Region, RegionParameters};
use crate::error::{Error, Result};

/// A cell is in where its centre is, this fraction of its size past the border included, so that
/// rounding does not decide about centres on a border.
const ON_BORDER: f64 = 1e-9;

/// Reads shape and values of a dataset.
pub type ReadDataset<'a> = dyn Fn(&DatasetOptions) -> Result<(Vec<usize>, Vec<f64>)> + 'a;

/// What the regions of one grid are found from.
pub struct Regions<'a> {
    pub grid: &'a Grid,
    /// Cells that take part; `None`: all. Regions have no others.
    pub active: Option<&'a [bool]>,
    /// Material domain and tag of each cell, of voxelised meshes.
    pub domains: Option<&'a [u32]>,
    pub tags: Option<&'a [i32]>,
    pub read: &'a ReadDataset<'a>,
}

/// What differs between the cells of a tissue.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Distinct parameters, those of the whole tissue first.
    pub sets: Vec<Parameters>,
    /// Number in `sets` of each cell; `None`: 0 everywhere.
    pub set: Option<Vec<u8>>,
    /// Conductivity scaling of each cell; `None`: 1 everywhere.
    pub gamma: Option<Vec<f64>>,
}

impl Regions<'_> {
    /// The active cells in `region`, ascending; `what` names the region in errors
    /// ("fk.stimulus.0.region").
    ///
    /// # Errors
    /// [`Error::BadData`] for a region outside the grid or without an active cell, or that asks for
    /// what the grid does not have; those of [`nonzero`](Self::nonzero).
    pub fn cells(&self, what: &str, region: &Region) -> Result<Vec<usize>> {
        let cells = match region {
            Region::All => self.where_true(|_| true),
            Region::Box { low, high } => {
                self.in_bounds(what, low, high)?;
                self.within(&self.ranges(low, high), |_| true)
            }
            Region::Sphere { centre, radius } => {
                let low: Vec<f64> = centre.iter().map(|x| x - radius).collect();
                let high: Vec<f64> = centre.iter().map(|x| x + radius).collect();
                self.in_bounds(what, &low, &high)?;
                let smallest = self.grid.spacing.iter().copied().fold(f64::MAX, f64::min);
                let reach = (radius + ON_BORDER * smallest).powi(2);
                self.within(&self.ranges(&low, &high), |cell| {
                    let at = self.grid.centre(self.grid.place(cell));
                    let square = |(x, c): (f64, &f64)| (x - c).powi(2);
                    at.into_iter().zip(centre).map(square).sum::<f64>() <= reach
                })
            }
            Region::Half {
                side,
                coverage,
                angle,
            } => {
                let band = Band::new(self.grid, *side, *coverage, *angle);
                self.where_true(|cell| band.holds(self.grid.centre(self.grid.place(cell))))
            }
            Region::File(dataset) => {
                let inside = self.nonzero(what, dataset)?;
                self.where_true(|cell| inside[cell])
            }
            Region::Domains(wanted) => {
                let of = self.domains.ok_or_else(|| no_labels(what, "domains"))?;
                self.labelled(what, "domain", wanted, of)?
            }
            Region::Tags(wanted) => {
                let of = self.tags.ok_or_else(|| no_labels(what, "tags"))?;
                self.labelled(what, "tag", wanted, of)?
            }
        };
        if cells.is_empty() {
            return Err(Error::bad_data(
                what,
                "holds the centre of no cell that takes part",
                format!(
                    "make it larger, or move it into the tissue; the grid spans {}",
                    self.extent()
                ),
            ));
        }
        Ok(cells)
    }

    /// Which cells are not 0 in a dataset of the grid's shape.
    ///
    /// # Errors
    /// Those of reading; [`Error::BadFile`] for another shape or a NaN.
    pub fn nonzero(&self, what: &str, dataset: &DatasetOptions) -> Result<Vec<bool>> {
        let (shape, values) = (self.read)(dataset)?;
        let place = || format!("dataset {}", dataset.dataset);
        if shape != self.grid.file_shape() || values.len() != self.grid.cells() {
            return Err(Error::bad_file(
                &dataset.file,
                place(),
                format!(
                    "has shape {shape:?}, but the grid has {:?}",
                    self.grid.file_shape()
                ),
                format!("{what} needs one value per cell, x fastest"),
            ));
        }
        if let Some(cell) = values.iter().position(|value| value.is_nan()) {
            return Err(Error::bad_file(
                &dataset.file,
                place(),
                format!("is NaN at cell {:?} (z, y, x)", self.grid.place(cell)),
                format!("{what} needs 0 or another number in each cell"),
            ));
        }
        Ok(values.into_iter().map(|value| value != 0.0).collect())
    }

    /// Parameters and conductivity of the cells: `parameters`, and what `[[fk.region]]` changes; the
    /// last region that holds a cell and says something wins.
    ///
    /// # Errors
    /// Those of [`cells`](Self::cells); [`Error::BadData`] for more sets than 256.
    pub fn parts(&self, parameters: &Parameters, regions: &[RegionParameters]) -> Result<Parts> {
        let mut parts = Parts {
            sets: vec![parameters.clone()],
            set: None,
            gamma: None,
        };
        for (number, part) in regions.iter().enumerate() {
            let cells = self.cells(&format!("fk.region.{number}.region"), &part.region)?;
            if let Some(parameters) = &part.parameters {
                let known = parts.sets.iter().position(|set| set == parameters);
                let set = known.unwrap_or(parts.sets.len());
                if known.is_none() {
                    parts.sets.push(parameters.clone());
                }
                let set = u8::try_from(set).map_err(|_| {
                    Error::bad_data(
                        format!("fk.region.{number}.parameters"),
                        "is the 257th set of parameters",
                        "use at most 256 different sets",
                    )
                })?;
                let all = || vec![0; self.grid.cells()];
                let set_of = parts.set.get_or_insert_with(all);
                cells.iter().for_each(|&cell| set_of[cell] = set);
            }
            if let Some(gamma) = part.gamma {
                let all = || vec![1.0; self.grid.cells()];
                let gamma_of = parts.gamma.get_or_insert_with(all);
                cells.iter().for_each(|&cell| gamma_of[cell] = gamma);
            }
        }
        Ok(parts)
    }

    fn takes_part(&self, cell: usize) -> bool {
        self.active.is_none_or(|active| active[cell])
    }

    fn where_true(&self, holds: impl Fn(usize) -> bool) -> Vec<usize> {
        let cells = 0..self.grid.cells();
        cells
            .filter(|&cell| self.takes_part(cell) && holds(cell))
            .collect()
    }

    /// Cells in the ranges along z, y, x for which `holds` is true.
    fn within(&self, ranges: &[Range<usize>; 3], holds: impl Fn(usize) -> bool) -> Vec<usize> {
        let [zs, ys, xs] = ranges;
        let rows = zs.clone().flat_map(|z| ys.clone().map(move |y| (z, y)));
        let cells = rows.flat_map(|(z, y)| {
            let row = self.grid.cell([z, y, 0]);
            xs.clone().map(move |x| row + x)
        });
        cells
            .filter(|&cell| self.takes_part(cell) && holds(cell))
            .collect()
    }

    /// Cells along z, y, x with their centres between the corners x, y(, z); all along an axis that
    /// the corners do not have.
    fn ranges(&self, low: &[f64], high: &[f64]) -> [Range<usize>; 3] {
        std::array::from_fn(|axis| {
            let cells = self.grid.shape[axis];
            let xyz = 2 - axis;
            match (low.get(xyz), high.get(xyz)) {
                (Some(low), Some(high)) => {
                    let place =
                        |x: f64| (x - self.grid.origin[xyz]) / self.grid.spacing[axis] - 0.5;
                    let most = cells as f64;
                    let first = (place(*low) - ON_BORDER).ceil().clamp(0.0, most);
                    let end = ((place(*high) + ON_BORDER).floor() + 1.0).clamp(0.0, most);
                    first as usize..end as usize
                }
                _ => 0..cells,
            }
        })
    }

    /// An error for a box that does not meet the grid.
    fn in_bounds(&self, what: &str, low: &[f64], high: &[f64]) -> Result<()> {
        let outside = low.iter().zip(high).enumerate().any(|(xyz, (low, high))| {
            let (begin, end) = span(self.grid, xyz);
            *high < begin || *low > end
        });
        if !outside {
            return Ok(());
        }
        Err(Error::bad_data(
            what,
            "lies outside the grid",
            format!("the grid spans {}", self.extent()),
        ))
    }

    /// "x 0 to 12.8, y 0 to 12.8 mm".
    fn extent(&self) -> String {
        let axes = self.grid.dimensions.clamp(1, 3);
        let spans = ["x", "y", "z"].into_iter().take(axes).enumerate();
        let spans = spans.map(|(xyz, name)| {
            let (begin, end) = span(self.grid, xyz);
            format!("{name} {begin} to {end}")
        });
        format!("{} mm", spans.collect::<Vec<_>>().join(", "))
    }

    /// Active cells with one of the `wanted` labels, each of which some cell has.
    fn labelled<L: PartialEq + std::fmt::Display>(
        &self,
        what: &str,
        kind: &str,
        wanted: &[L],
        of: &[L],
    ) -> Result<Vec<usize>> {
        if let Some(missing) = wanted.iter().find(|label| !of.contains(label)) {
            return Err(Error::bad_data(
                what,
                format!("no cell has {kind} {missing}"),
                format!("name {kind}s of the voxelised mesh"),
            ));
        }
        Ok(self.where_true(|cell| wanted.contains(&of[cell])))
    }
}

fn no_labels(what: &str, kind: &str) -> Error {
    Error::bad_data(
        what,
        format!("asks for {kind}, which this grid does not have"),
        "give a box, half, sphere or file, or voxelise a mesh that has them",
    )
}
