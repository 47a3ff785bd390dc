//! What the cells of a grid are made of: which take part, and their diffusivity
//!
//! D = γ (D_f f fᵀ + D_s s sᵀ + D_n n nᵀ)  (mm²/ms), fibre f, sheet s, normal n = f × s,
//!
//! or γ times one number or tensor per cell of a dataset.

use super::grid::{Diffusivity, Grid, Tissue};
use super::options::{DatasetOptions, DiffusivityOptions};
use super::voxels::Voxels;
use crate::error::{Error, Result};
use crate::tensor::{Vec3, cross, dot, norm, unit};

/// Reads a dataset: its shape and numbers, last index fastest.
pub type ReadArray<'a> = &'a dyn Fn(&DatasetOptions) -> Result<(Vec<usize>, Vec<f64>)>;

/// How far from 1 a direction's length, and from 0 an inner product of two, may be.
const UNIT: f64 = 1e-6;

/// What the tissue is made from.
pub struct TissueInput<'a> {
    pub grid: &'a Grid,
    /// The mesh that the grid was made from.
    pub voxels: Option<&'a Voxels>,
    /// Cells take part where it is not zero.
    pub mask: Option<&'a DatasetOptions>,
    /// Cells of holes.
    pub holes: &'a [usize],
    pub diffusivity: Option<&'a DiffusivityOptions>,
    pub read: ReadArray<'a>,
}

impl TissueInput<'_> {
    /// The tissue, all of it in region 0.
    ///
    /// # Errors
    /// [`Error::BadData`] where no cell is left, for a diffusivity that is missing or not positive
    /// definite, directions that are missing or no unit vectors; for datasets of another shape or
    /// with values that cannot be, with the first such cell; those of `read`.
    pub fn build(&self) -> Result<Tissue> {
        let active = self.active()?;
        let is_active = |cell: usize| active.as_ref().is_none_or(|a| a[cell]);
        let mut diffusivity = match self.diffusivity {
            // A single cell has no neighbours.
            None if self.grid.dimensions == 0 => Diffusivity::Uniform([0.0; 6]),
            None => {
                return Err(Error::bad_data(
                    "fk.diffusivity",
                    "is missing",
                    "give a number in mm²/ms, { fibre, sheet, normal } or { file, dataset }",
                ));
            }
            Some(DiffusivityOptions::Isotropic(d)) => {
                positive("fk.diffusivity", *d)?;
                Diffusivity::Uniform(isotropic(*d))
            }
            Some(DiffusivityOptions::Orthotropic {
                fibre,
                sheet,
                normal,
                direction,
            }) => {
                let normal = normal.unwrap_or(*sheet);
                self.orthotropic([*fibre, *sheet, normal], direction.as_deref())?
            }
            Some(DiffusivityOptions::Dataset(from)) => self.dataset(from, &is_active)?,
        };
        if let Some(voxels) = self.voxels {
            diffusivity = scaled(diffusivity, voxels, self.grid.cells());
        }
        Ok(Tissue {
            diffusivity: simplest(diffusivity, self.grid.cells(), &is_active),
            active,
            region: None,
        })
    }

    fn active(&self) -> Result<Option<Vec<bool>>> {
        let cells = self.grid.cells();
        let mut active = match self.voxels {
            Some(voxels) => voxels.active(),
            None => vec![true; cells],
        };
        if let Some(mask) = self.mask {
            let (shape, values) = (self.read)(mask)?;
            if shape != self.grid.file_shape() {
                return Err(wrong_shape(mask, &shape, self.grid, &[]));
            }
            for (cell, (active, value)) in active.iter_mut().zip(&values).enumerate() {
                if value.is_nan() {
                    let remedy = "write 0 where there is no tissue, 1 where there is";
                    return Err(bad_cell(mask, self.grid, cell, "is NaN".into(), remedy));
                }
                *active &= *value != 0.0;
            }
        }
        for &cell in self.holes {
            if let Some(active) = active.get_mut(cell) {
                *active = false;
            }
        }
        if active.iter().all(|a| *a) {
            return Ok(None);
        }
        if active.iter().any(|a| *a) {
            return Ok(Some(active));
        }
        Err(Error::bad_data(
            match self.mask {
                Some(mask) => format!("fk.mask ({}: {})", mask.file.display(), mask.dataset),
                None => "fk.hole".into(),
            },
            format!("no cell of {cells} is left"),
            "give a mask that is not zero where there is tissue, and smaller holes",
        ))
    }

    /// D along the given direction, the fibres of the mesh, or x, y, z.
    fn orthotropic(&self, d: [f64; 3], direction: Option<&[f64]>) -> Result<Diffusivity> {
        for (value, name) in d.into_iter().zip(["fibre", "sheet", "normal"]) {
            positive(&format!("fk.diffusivity.{name}"), value)?;
        }
        let [along, across, normal] = d;
        let plane = self.grid.dimensions == 2;
        if along == across && (plane || across == normal) {
            return Ok(Diffusivity::Uniform(isotropic(along)));
        }
        if let Some(direction) = direction {
            let [f, s] = self.given_directions(direction, across == normal)?;
            return Ok(Diffusivity::Uniform(tensor(d, f, s)));
        }
        let Some((voxels, fibres)) = self.voxels.and_then(|v| v.fibres.as_ref().map(|f| (v, f)))
        else {
            if self.voxels.is_some() {
                return Err(Error::bad_data(
                    "fk.diffusivity",
                    "differs along and across the fibres, and the mesh has no fibres",
                    "give one number, a direction, or a mesh with fibres",
                ));
            }
            let [x, y] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
            return Ok(Diffusivity::Uniform(tensor(d, x, y)));
        };
        let sheets = voxels.sheets.as_ref().filter(|_| across != normal);
        if across != normal && sheets.is_none() {
            return Err(Error::bad_data(
                "fk.diffusivity",
                "differs along sheet and normal, and the mesh has fibres but no sheets",
                "give the same for sheet and normal, or a mesh with sheets",
            ));
        }
        let mut tensors = vec![[0.0; 6]; self.grid.cells()];
        for (row, (&cell, f)) in voxels.cells.iter().zip(fibres).enumerate() {
            let s = match sheets {
                Some(sheets) => sheets[row],
                None => any_normal(*f),
            };
            let is_unit = |v: Vec3| (norm(v) - 1.0).abs() <= UNIT;
            if !(is_unit(*f) && is_unit(s) && dot(*f, s).abs() <= UNIT) {
                return Err(Error::bad_data(
                    format!(
                        "cell {cell}, in tetrahedron {} of the mesh",
                        voxels.tetrahedron[row]
                    ),
                    format!("fibre {f:?} and sheet {s:?} are no orthogonal unit vectors"),
                    "`isochrone mesh check` lists all of them",
                ));
            }
            tensors[cell as usize] = tensor(d, *f, s);
        }
        Ok(Diffusivity::Tensor(tensors))
    }

    /// Fibre and sheet of one direction for the whole grid; in 2D the sheet lies in the plane.
    fn given_directions(&self, direction: &[f64], transverse: bool) -> Result<[Vec3; 2]> {
        let bad = |problem: String, remedy: &str| {
            Err(Error::bad_data("fk.diffusivity.direction", problem, remedy))
        };
        let plane = self.grid.dimensions == 2;
        let vector = match *direction {
            [x, y] if plane => [x, y, 0.0],
            [x, y, z] if !plane => [x, y, z],
            _ => {
                let (has, axes) = (direction.len(), if plane { 2 } else { 3 });
                let problem = format!("has {has} numbers where {axes} are needed");
                return bad(problem, "give x, y on a 2D grid, else x, y, z");
            }
        };
        let Some(f) = unit(vector) else {
            let problem = format!("{direction:?} is no direction");
            return bad(problem, "give finite numbers that are not all zero");
        };
        if plane {
            return Ok([f, [-f[1], f[0], 0.0]]);
        }
        if !transverse {
            return bad(
                "leaves the sheets open, and the diffusivity differs along sheet and normal".into(),
                "give the same for sheet and normal, or a dataset of tensors",
            );
        }
        Ok([f, any_normal(f)])
    }

    /// One number, three (2D: xx xy yy) or six (xx xy xz yy yz zz) per cell.
    fn dataset(
        &self,
        from: &DatasetOptions,
        is_active: &dyn Fn(usize) -> bool,
    ) -> Result<Diffusivity> {
        let (shape, values) = (self.read)(from)?;
        let grid = self.grid;
        let axes = grid.dimensions;
        let components: &[usize] = if axes == 2 { &[3, 6] } else { &[6] };
        let of = |cell: usize, problem: String, wanted: &str| {
            let remedy = format!("give {wanted}, or mask the cell with fk.mask");
            Err(bad_cell(from, grid, cell, problem, &remedy))
        };
        if shape == grid.file_shape() {
            let wrong = |d: f64| !(d.is_finite() && d > 0.0);
            let first = (0..values.len()).find(|&c| wrong(values[c]) && is_active(c));
            return match first {
                Some(cell) => of(
                    cell,
                    format!("{} mm²/ms is not positive", values[cell]),
                    "positive numbers",
                ),
                None => Ok(Diffusivity::Isotropic(values)),
            };
        }
        let tensors: Vec<[f64; 6]> = match shape.split_last() {
            Some((c, cells)) if cells == grid.file_shape() && components.contains(c) => values
                .chunks_exact(*c)
                .map(|v| match *v {
                    // What is normal to the plane moves nothing; this keeps it positive.
                    [xx, xy, yy] => [xx, xy, 0.0, yy, 0.0, 0.5 * (xx + yy)],
                    _ => std::array::from_fn(|i| v[i]),
                })
                .collect(),
            _ => return Err(wrong_shape(from, &shape, grid, components)),
        };
        let wrong = |cell: &usize| is_active(*cell) && !is_spd(&tensors[*cell], axes);
        match (0..tensors.len()).find(wrong) {
            Some(cell) => of(
                cell,
                format!("{:?} mm²/ms is not positive definite", tensors[cell]),
                "positive definite tensors",
            ),
            None => Ok(Diffusivity::Tensor(tensors)),
        }
    }
}

fn positive(key: &str, d: f64) -> Result<()> {
    if d.is_finite() && d > 0.0 {
        return Ok(());
    }
    Err(Error::bad_data(
        key,
        format!("{d} mm²/ms is not positive"),
        "give a positive number; cut out what does not conduct with fk.mask",
    ))
}

fn isotropic(d: f64) -> [f64; 6] {
    [d, 0.0, 0.0, d, 0.0, d]
}

/// D_f f fᵀ + D_s s sᵀ + D_n n nᵀ.
fn tensor(d: [f64; 3], f: Vec3, s: Vec3) -> [f64; 6] {
    let axes = [f, s, cross(f, s)];
    let entry = |i: usize, j: usize| (0..3).map(|a| d[a] * axes[a][i] * axes[a][j]).sum();
    [
        entry(0, 0),
        entry(0, 1),
        entry(0, 2),
        entry(1, 1),
        entry(1, 2),
        entry(2, 2),
    ]
}

/// A unit vector across `f`, for tensors that are the same for all of them.
fn any_normal(f: Vec3) -> Vec3 {
    let least = (0..3).fold(0, |a, b| if f[b].abs() < f[a].abs() { b } else { a });
    let mut axis = [0.0; 3];
    axis[least] = 1.0;
    // NaN shows where the fibre is checked.
    unit(cross(f, axis)).unwrap_or([f64::NAN; 3])
}

/// Sylvester's criterion on the axes that the grid has.
fn is_spd([xx, xy, xz, yy, yz, zz]: &[f64; 6], axes: usize) -> bool {
    let entries = [xx, xy, xz, yy, yz, zz];
    let plane = xx * yy - xy * xy;
    let determinant =
        xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz);
    entries.iter().all(|e| e.is_finite())
        && *xx > 0.0
        && (axes < 2 || plane > 0.0)
        && (axes < 3 || determinant > 0.0)
}

/// D times γ of each cell.
fn scaled(diffusivity: Diffusivity, voxels: &Voxels, cells: usize) -> Diffusivity {
    let rows = || (voxels.cells.iter().map(|c| *c as usize)).zip(&voxels.gamma);
    match diffusivity {
        Diffusivity::Uniform(d) if d == isotropic(d[0]) => {
            let mut all = vec![0.0; cells];
            rows().for_each(|(cell, gamma)| all[cell] = gamma * d[0]);
            Diffusivity::Isotropic(all)
        }
        Diffusivity::Uniform(d) => {
            let mut all = vec![[0.0; 6]; cells];
            rows().for_each(|(cell, gamma)| all[cell] = d.map(|d| gamma * d));
            Diffusivity::Tensor(all)
        }
        Diffusivity::Isotropic(mut all) => {
            rows().for_each(|(cell, gamma)| all[cell] *= gamma);
            Diffusivity::Isotropic(all)
        }
        Diffusivity::Tensor(mut all) => {
            rows().for_each(|(cell, gamma)| all[cell] = all[cell].map(|d| gamma * d));
            Diffusivity::Tensor(all)
        }
    }
}

/// The same diffusivity with one tensor for all, or one number per cell, where that is all there
/// is; 0 in cells that take no part.
fn simplest(
    diffusivity: Diffusivity,
    cells: usize,
    is_active: &dyn Fn(usize) -> bool,
) -> Diffusivity {
    if let Diffusivity::Uniform(_) = diffusivity {
        return diffusivity;
    }
    let active = || (0..cells).filter(|c| is_active(*c));
    if let Some(first) = active().next().map(|c| diffusivity.at(c))
        && active().all(|c| diffusivity.at(c) == first)
    {
        return Diffusivity::Uniform(first);
    }
    match diffusivity {
        Diffusivity::Tensor(all) if !active().all(|c| all[c] == isotropic(all[c][0])) => {
            let kept = |(cell, d)| if is_active(cell) { d } else { [0.0; 6] };
            Diffusivity::Tensor(all.into_iter().enumerate().map(kept).collect())
        }
        other => {
            let of = |cell| {
                if is_active(cell) {
                    other.at(cell)[0]
                } else {
                    0.0
                }
            };
            Diffusivity::Isotropic((0..cells).map(of).collect())
        }
    }
}

fn wrong_shape(from: &DatasetOptions, shape: &[usize], grid: &Grid, components: &[usize]) -> Error {
    let wanted = grid.file_shape();
    let more: String = (components.iter())
        .map(|c| format!(", or that with {c} components behind"))
        .collect();
    Error::bad_file(
        &from.file,
        format!("dataset {}", from.dataset),
        format!("has the shape {shape:?}, and the grid {wanted:?}"),
        format!("give an array of the grid's shape{more}"),
    )
}

fn bad_cell(
    from: &DatasetOptions,
    grid: &Grid,
    cell: usize,
    problem: String,
    remedy: &str,
) -> Error {
    let place = grid.place(cell);
    let place = &place[3 - grid.file_shape().len()..];
    Error::bad_file(
        &from.file,
        format!("dataset {}, cell {place:?}", from.dataset),
        problem,
        remedy,
    )
}

#[cfg(test)]
mod tests;
