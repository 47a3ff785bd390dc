//! A simulation whose precision and cell model are chosen at run time.

mod setup;
mod stability;
mod tiling;

pub use setup::{Setup, build};
pub use stability::largest_dt;
pub use tiling::{steps_per_exchange, tiles_for};

use super::activation::UpstrokeArrays;
use super::division::Division;
use super::engine::{Counters, Engine};
use crate::comm::Communicator;
use crate::error::Result;
use crate::ionic::Kinetics;
use crate::real::Float;

/// Values of all cells in the precision of the run.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Values {
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Values::F32(values) => values.clone(),
            Values::F64(values) => values.iter().map(|v| *v as f32).collect(),
        }
    }

    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Values::F32(values) => values.iter().map(|v| *v as f64).collect(),
            Values::F64(values) => values.clone(),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A simulation on all ranks. Field 0 is u, the gates follow. All methods but the first three are
/// collective.
pub trait Simulation {
    /// The tiles of all ranks.
    fn division(&self) -> &Division;

    /// Exchanges and messages of this rank so far.
    fn counters(&self) -> Counters;

    /// Steps between exchanges of ghosts.
    fn steps_per_exchange(&self) -> usize;

    /// Advances by `steps` steps from step `first` on.
    fn advance(&self, comm: &dyn Communicator, first: u64, steps: u64);

    /// What went wrong on a device since the last time; what was computed since is not to be used.
    fn failure(&self, _comm: &dyn Communicator) -> Result<()> {
        Ok(())
    }

    /// A field of all cells in the order of the grid, on rank 0; NaN where there is no tile.
    fn gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values>;

    /// Begins to copy fields as they are now, where steps can go on meanwhile; says whether it does,
    /// the same on all ranks. [`finish_gather`](Self::finish_gather) ends it.
    fn begin_gather(&self, _fields: &[usize]) -> bool {
        false
    }

    /// As [`gather`](Self::gather), of a field as it was when the copy began.
    fn finish_gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values> {
        self.gather(comm, field)
    }

    /// Sets a field from values given on rank 0, converted to the precision of the run; cells that
    /// are NaN keep theirs.
    fn scatter(&self, comm: &dyn Communicator, field: usize, values: Option<&Values>);

    /// Largest |u|, +∞ for NaN, and the cell where it is.
    fn largest(&self, comm: &dyn Communicator) -> (f64, usize);

    /// u of some cells, on all ranks.
    fn probe(&self, comm: &dyn Communicator, cells: &[usize]) -> Vec<f64>;

    /// The recorder of upstrokes over all cells, on rank 0.
    fn upstrokes(&self, comm: &dyn Communicator) -> Option<UpstrokeArrays>;

    /// Sets the recorder from arrays given on rank 0.
    fn restore_upstrokes(
        &self,
        comm: &dyn Communicator,
        arrays: Option<&UpstrokeArrays>,
    ) -> Result<()>;
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> Simulation for Engine<T, K, G> {
    fn division(&self) -> &Division {
        &self.division
    }

    fn counters(&self) -> Counters {
        Engine::counters(self)
    }

    fn steps_per_exchange(&self) -> usize {
        self.pace.steps_per_exchange
    }

    fn advance(&self, comm: &dyn Communicator, first: u64, steps: u64) {
        Engine::advance(self, comm, first, steps);
    }

    fn gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values> {
        let values = Engine::gather(self, comm, field)?;
        Some(if size_of::<T>() == 4 {
            Values::F32(bytemuck::cast_vec(values))
        } else {
            Values::F64(bytemuck::cast_vec(values))
        })
    }

    fn scatter(&self, comm: &dyn Communicator, field: usize, values: Option<&Values>) {
        let values: Option<Vec<T>> =
            values.map(|v| v.to_f64().into_iter().map(T::from_f64).collect());
        Engine::scatter(self, comm, field, values.as_deref());
    }

    fn largest(&self, comm: &dyn Communicator) -> (f64, usize) {
        Engine::largest(self, comm)
    }

    fn probe(&self, comm: &dyn Communicator, cells: &[usize]) -> Vec<f64> {
        Engine::probe(self, comm, cells)
    }

    fn upstrokes(&self, comm: &dyn Communicator) -> Option<UpstrokeArrays> {
        self.gather_upstrokes(comm)
    }

    fn restore_upstrokes(
        &self,
        comm: &dyn Communicator,
        arrays: Option<&UpstrokeArrays>,
    ) -> Result<()> {
        self.scatter_upstrokes(comm, arrays)
    }
}
