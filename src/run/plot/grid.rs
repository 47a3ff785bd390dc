//! The grid of a simulation's result, and its fields.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::{read_f64, read_matrix, read_shape};
use crate::monodomain::grid::Grid;

/// A result of `isochrone fk` with fields on a grid.
#[derive(Debug, Clone)]
pub struct Simulated {
    pub source: PathBuf,
    pub grid: Grid,
    /// Unit of its lengths: mm, or cells where the file does not tell their size.
    pub unit: &'static str,
}

impl Simulated {
    /// The grid of `source`, whose datasets are `names`; `None` where it has no fields.
    pub fn of(source: &Path, names: &[String]) -> Result<Option<Self>> {
        let has = |name: &str| names.iter().any(|n| n == name);
        let dimensions = if has("/fk/u") {
            read_shape(source, "/fk/u")?
        } else if has("/fk/frames/u") {
            read_shape(source, "/fk/frames/u")?.split_off(1)
        } else {
            return Ok(None);
        };
        let shape = match dimensions[..] {
            [x] => [1, 1, x],
            [y, x] => [1, y, x],
            [z, y, x] => [z, y, x],
            _ => {
                let problem = format!("has the shape {dimensions:?}");
                let remedy = "a field has one to three axes";
                return Err(Error::bad_file(source, "dataset /fk/u", problem, remedy));
            }
        };
        if shape.contains(&0) {
            let problem = format!("has the shape {dimensions:?}");
            return Err(Error::bad_file(
                source,
                "dataset /fk/u",
                problem,
                "make the file again",
            ));
        }
        let three = |name: &str| -> Result<[f64; 3]> {
            let values = read_f64(source, name, Some((3, "axes")))?;
            Ok([values[0], values[1], values[2]])
        };
        let known = has("/fk/grid/spacing") && has("/fk/grid/origin");
        let (spacing, origin, unit) = if known {
            (three("/fk/grid/spacing")?, three("/fk/grid/origin")?, "mm")
        } else {
            ([1.0; 3], [0.0; 3], "cells")
        };
        if !spacing.iter().all(|h| *h > 0.0 && h.is_finite())
            || !origin.iter().all(|x| x.is_finite())
        {
            let problem = format!("spacing {spacing:?}, origin {origin:?}");
            let remedy = "the size of a cell is positive; make the file again";
            return Err(Error::bad_file(
                source,
                "datasets /fk/grid",
                problem,
                remedy,
            ));
        }
        let grid = Grid {
            shape,
            spacing,
            origin,
            periodic: [false; 3],
            dimensions: dimensions.len(),
        };
        let source = source.to_owned();
        Ok(Some(Self { source, grid, unit }))
    }

    /// The numbers of a dataset with the shape of the grid.
    pub fn field(&self, dataset: &str) -> Result<Vec<f64>> {
        let (shape, values) = read_matrix(&self.source, dataset)?;
        if shape == self.grid.file_shape() {
            return Ok(values);
        }
        let place = format!("dataset {dataset}");
        let problem = format!(
            "has the shape {shape:?} on a grid of {:?}",
            self.grid.file_shape()
        );
        Err(Error::bad_file(
            &self.source,
            place,
            problem,
            "make the file again",
        ))
    }

    /// Cells in tissue: those with a state.
    pub fn active(&self, names: &[String]) -> Result<Vec<bool>> {
        if !names.iter().any(|n| n == "/fk/u") {
            return Ok(vec![true; self.grid.cells()]);
        }
        Ok(self
            .field("/fk/u")?
            .into_iter()
            .map(|u| !u.is_nan())
            .collect())
    }
}
