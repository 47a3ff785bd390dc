//! Where a simulation has left what is physical.
//!
//! A run looks at u now and then. Once it finds trouble, the first step with it is sought from the
//! last state that is known to be good, in single steps: neither the moments of the looks nor the
//! number of ranks and threads decide what the user is told.

use crate::comm::Communicator;
use crate::error::{Error, Result};
use crate::monodomain::grid::Grid;
use crate::monodomain::simulation::Simulation;

/// Steps between two looks for signals on the way to the trouble.
const STRIDE: u64 = 64;

/// Trouble that was found: after step `good` there was none, after step `bad` there is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trouble {
    pub good: u64,
    pub bad: u64,
    /// Largest |u| after step `bad`, +∞ for NaN, and its cell.
    pub largest: f64,
    pub cell: usize,
}

impl Trouble {
    /// The first trouble, sought by `simulation` in the state after step `from`; `None`: it does not
    /// come, or `go_on` said no. Collective.
    pub fn first(
        self,
        comm: &dyn Communicator,
        simulation: &dyn Simulation,
        from: u64,
        limit: f64,
        go_on: impl Fn() -> bool,
    ) -> Option<Self> {
        let mut step = from;
        while step < self.good {
            if !go_on() {
                return None;
            }
            let stride = STRIDE.min(self.good - step);
            simulation.advance(comm, step, stride);
            step += stride;
        }
        while step < self.bad {
            if step.is_multiple_of(STRIDE) && !go_on() {
                return None;
            }
            simulation.advance(comm, step, 1);
            if let Err(first) = look(comm, simulation, limit, step, step + 1) {
                return Some(first);
            }
            step += 1;
        }
        None
    }

    /// What is wrong, where and when, with steps of `dt` ms.
    pub fn describe(&self, grid: &Grid, dt: f64) -> String {
        let value = if self.largest.is_finite() {
            format!("|u| = {:.3e}", self.largest)
        } else {
            "u is not a number".into()
        };
        let place = grid.place(self.cell);
        let dimensions = grid.dimensions.max(1);
        let cell = &place[3 - dimensions..];
        let at = grid.centre(place).map(rounded);
        let at = &at[..dimensions];
        let (good, bad, step) = (ms(self.good, dt), ms(self.bad, dt), self.bad);
        let when = if self.bad == self.good + 1 {
            format!("first after step {step}, at {bad} ms")
        } else {
            format!("found after step {step}, between {good} and {bad} ms")
        };
        format!("{value} at cell {cell:?} (at {at:?} mm), {when}")
    }

    /// The error of a run; `kept` is what can be resumed from.
    pub fn error(&self, grid: &Grid, dt: f64, kept: Option<f64>) -> Error {
        let kept = kept.map_or(String::new(), |time| {
            format!("; the checkpoint after {time} ms is kept")
        });
        Error::Diverged {
            problem: self.describe(grid, dt),
            remedy: format!(
                "take a smaller fk.dt, weaker stimuli, or look at the initial state{kept}"
            ),
        }
    }
}

/// Looks at u after step `step`, which was good after step `good`. Collective.
pub fn look(
    comm: &dyn Communicator,
    simulation: &dyn Simulation,
    limit: f64,
    good: u64,
    step: u64,
) -> Result<f64, Trouble> {
    let (largest, cell) = simulation.largest(comm);
    // +∞ stands for NaN.
    if largest <= limit {
        return Ok(largest);
    }
    Err(Trouble {
        good,
        bad: step,
        largest,
        cell,
    })
}

/// The time of a step as users write it: 400.4 and not 400.40000000000003 ms.
pub fn ms(step: u64, dt: f64) -> f64 {
    rounded(step as f64 * dt)
}

fn rounded(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_they_are_written() {
        assert_eq!(ms(4004, 0.1).to_string(), "400.4");
        assert_eq!(ms(3, 0.1).to_string(), "0.3");
        assert_eq!(ms(1, 0.001).to_string(), "0.001");
    }
}
