//! Time steps in VTKHDF: which rows of an array belong to which step; γ of an inversion over its
//! iterations, and the cells of a grid that are not tissue.
//!
//! ```text
//! /VTKHDF/Steps      attribute NSteps; Values (steps): times, here iterations
//!   PartOffsets, NumberOfParts, PointOffsets (steps) · CellOffsets, ConnectivityIdOffsets (steps, 1)
//!   PointDataOffsets/NAME, CellDataOffsets/NAME (steps): first row of the array
//! ```
//! A mesh that stays the same has offsets of zero.

use hdf5::Group;

/// One number for each domain of a mesh that changes from step to step, such as γ.
#[derive(Debug, Clone, PartialEq)]
pub struct DomainHistory {
    /// Of the array, and of the field that it takes the place of.
    pub name: String,
    /// Domain of each tetrahedron.
    pub domains: Vec<u32>,
    /// Steps × domains.
    pub values: Vec<Vec<f64>>,
}

/// VTK's mark of cells that are not shown, `vtkDataSetAttributes::HIDDENCELL`.
const HIDDEN: u8 = 32;

/// Rows of a chunk at most.
const CHUNK: usize = 1 << 22;

/// Level of deflate: what is stored so is the same over whole domains.
const COMPRESSION: u8 = 1;

impl DomainHistory {
    /// Writes the array to `data`, one step after the other.
    pub fn write(&self, data: &Group) -> hdf5::Result<()> {
        let rows = self.domains.len();
        let dataset = (data.new_dataset::<f64>())
            .shape([self.values.len() * rows])
            .chunk([rows.clamp(1, CHUNK)])
            .shuffle()
            .deflate(COMPRESSION)
            .create(self.name.as_str())?;
        for (step, values) in self.values.iter().enumerate() {
            let of = |domain: &u32| values.get(*domain as usize).copied().unwrap_or(f64::NAN);
            let row: Vec<f64> = self.domains.iter().map(of).collect();
            dataset.write_slice(&row, step * rows..(step + 1) * rows)?;
        }
        Ok(())
    }
}

/// Makes `Steps` of `group` for a mesh that stays the same: steps at 0, 1, 2, …, in which the cell
/// array `moving` goes on by `rows` and all others stay.
pub fn steps_of_mesh(group: &Group, steps: usize, moving: &str, rows: usize) -> hdf5::Result<()> {
    let times: Vec<f64> = (0..steps).map(|i| i as f64).collect();
    let made = begin_steps(group, steps)?;
    (made.new_dataset_builder().with_data(&times)).create("Values")?;
    for name in ["PartOffsets", "PointOffsets"] {
        zeros(&made, name, &[steps])?;
    }
    let ones = vec![1i64; steps];
    (made.new_dataset_builder().with_data(&ones)).create("NumberOfParts")?;
    for name in ["CellOffsets", "ConnectivityIdOffsets"] {
        zeros(&made, name, &[steps, 1])?;
    }
    for data in ["PointData", "CellData"] {
        let step = |name: &str| match (data, name == moving) {
            ("CellData", true) => rows,
            _ => 0,
        };
        array_offsets(group, &made, data, steps, step)?;
    }
    Ok(())
}

/// Makes `Steps` of `group`, without times.
pub fn begin_steps(group: &Group, steps: usize) -> hdf5::Result<Group> {
    let made = group.create_group("Steps")?;
    (made.new_attr::<i64>().create("NSteps")?).write_scalar(&(steps as i64))?;
    Ok(made)
}

/// Makes `DATAOffsets` for the arrays in `data` of `group`: by how many rows each goes on from a step
/// to the next.
pub fn array_offsets(
    group: &Group,
    made: &Group,
    data: &str,
    steps: usize,
    rows: impl Fn(&str) -> usize,
) -> hdf5::Result<()> {
    let offsets = made.create_group(&format!("{data}Offsets"))?;
    for array in group.group(data)?.member_names()? {
        let rows = rows(&array) as i64;
        let starts: Vec<i64> = (0..steps as i64).map(|i| i * rows).collect();
        (offsets.new_dataset_builder().with_data(&starts)).create(array.as_str())?;
    }
    Ok(())
}

fn zeros(group: &Group, name: &str, shape: &[usize]) -> hdf5::Result<()> {
    let values = vec![0i64; shape.iter().product()];
    let dataset = group.new_dataset::<i64>().shape(shape).create(name)?;
    dataset.write_raw(&values)
}

/// Hides the cells of a grid that are not in `active`; `shape` is that of VTK's arrays.
pub fn hide(data: &Group, active: &[bool], shape: &[usize]) -> hdf5::Result<()> {
    let ghosts: Vec<u8> = active.iter().map(|a| if *a { 0 } else { HIDDEN }).collect();
    let dataset = (data.new_dataset::<u8>())
        .shape(shape)
        .chunk(shape)
        .deflate(COMPRESSION)
        .create("vtkGhostType")?;
    dataset.write_raw(&ghosts)
}
