//! The protocol on a grid: every beat from the state that it needs.

use super::{level, threshold, unanswered};
use crate::comm::{Communicator, agree, broadcast_json, broadcast_slice};
use crate::error::{Error, Result};
use crate::monodomain::activation::{UpstrokeArrays, UpstrokeOptions, Upstrokes};
use crate::monodomain::conduction::{ActionPotential, RestitutionPoint, restitution_point};
use crate::monodomain::grid::Grid;
use crate::monodomain::options::{FkOptions, RestitutionOptions};
use crate::monodomain::simulation::{Simulation, Values};
use crate::run::fk::divergence::{Trouble, look};
use crate::run::fk::prepare::Prepared;
use crate::run::fk::protocol_file::{Points, ProtocolFile};
use crate::run::fk::stop::Stop;
use crate::tensor::Vec3;

/// The end of a beat is waited for at most this long, ms.
const LONGEST: f64 = 5000.0;
/// Between two looks at the tissue, ms.
const LOOK_EVERY: f64 = 10.0;

/// The protocol on a grid.
pub(super) struct Protocol<'a> {
    pub(super) comm: &'a dyn Communicator,
    pub(super) simulation: &'a dyn Simulation,
    /// Makes another one, at rest.
    pub(super) fresh: &'a dyn Fn() -> Result<Box<dyn Simulation>>,
    pub(super) grid: Grid,
    pub(super) prepared: Option<&'a Prepared>,
    /// u and the gates.
    pub(super) fields: usize,
    pub(super) fk: &'a FkOptions,
    pub(super) stop: &'a Stop<'a>,
    /// Where the points are kept, on rank 0.
    pub(super) file: Option<&'a ProtocolFile>,
    pub(super) intervals: Vec<f64>,
    /// Those that are done.
    pub(super) points: Points,
}

/// A stretch of time after a stimulus, and the state at its begin on rank 0.
struct Stretch {
    /// "S1 number 3".
    of: String,
    first: u64,
    begin: Vec<Option<Values>>,
}

/// State of the tissue, on rank 0.
struct State {
    fields: Vec<Option<Values>>,
    upstrokes: Option<UpstrokeArrays>,
}

/// What the recorder has seen at a probe.
#[derive(Debug, Clone, Copy)]
struct Seen {
    upstrokes: u32,
    last: ActionPotential,
}

impl Protocol<'_> {
    /// A point per interval, in the order given. Collective.
    pub(super) fn run(&mut self, options: &RestitutionOptions) -> Result<Vec<RestitutionPoint>> {
        let comm = self.comm;
        let probes = self.prepared.map(|p| p.probes.clone());
        let probes: Vec<usize> = broadcast_json(comm, 0, probes)?;
        let place = |cell: &usize| self.grid.centre(self.grid.place(*cell));
        let places: Vec<Vec3> = probes.iter().map(place).collect();

        let s1 = |number: u64| format!("S1 number {number}");
        for number in 1..options.s1_count {
            self.advance(s1(number), 0, self.steps(options.s1_period))?;
        }
        self.forget_upstrokes()?;
        let begin = self.state();
        let last = s1(options.s1_count);
        self.settle(&last)?;
        let s1 = self.seen(&probes);
        if s1[0].upstrokes == 0 {
            let problem = format!(
                "the wave of S1 does not reach the first probe, {:?} mm",
                places[0]
            );
            return agree(comm, Err(unanswered(problem)));
        }
        self.restore(&begin)?;

        let intervals = self.intervals.clone();
        let mut order: Vec<usize> = (0..intervals.len()).collect();
        order.sort_by(|&a, &b| intervals[a].total_cmp(&intervals[b]));
        order.retain(|i| !self.points.contains_key(i));
        let mut done = 0;
        for i in order {
            let until = self.steps(intervals[i]);
            self.advance(last.clone(), done, until - done)?;
            done = until;
            let before = self.state();
            self.settle(&format!("the S2 after {} ms", intervals[i]))?;
            let after = until as f64 * self.fk.dt;
            let seen = self.seen(&probes);
            let s2 = |probe: usize| {
                let (s1, seen) = (s1.get(probe)?, seen.get(probe)?);
                let answered = seen.upstrokes > s1.upstrokes;
                answered.then_some(ActionPotential {
                    activation: seen.last.activation + after,
                    repolarisation: seen.last.repolarisation + after,
                })
            };
            let [near, far] = [places[0], places.get(1).copied().unwrap_or(places[0])];
            let point = restitution_point(intervals[i], s1[0].last, [s2(0), s2(1)], [near, far]);
            self.points.insert(i, point);
            self.save()?;
            self.restore(&before)?;
        }
        Ok(self.points.values().copied().collect())
    }

    fn steps(&self, time: f64) -> u64 {
        ((time / self.fk.dt).round() as u64).max(1)
    }

    /// Keeps the points so far. Collective.
    fn save(&self) -> Result<()> {
        let saved = self.file.map_or(Ok(()), |file| file.save(&self.points));
        agree(self.comm, saved)
    }

    /// Advances by `steps` steps, `first` of them after the stimulus `of`. Collective.
    fn advance(&self, of: String, first: u64, steps: u64) -> Result<()> {
        let stretch = self.stretch(of, first);
        let (mut step, end) = (first, first + steps);
        while step < end {
            let stride = self.steps(LOOK_EVERY).min(end - step);
            self.simulation.advance(self.comm, step, stride);
            self.simulation.failure(self.comm)?;
            step += stride;
            self.look(&stretch, step - stride, step)?;
        }
        Ok(())
    }

    /// Gives the stimulus `of` and advances until the tissue is at rest again. Collective.
    fn settle(&self, of: &str) -> Result<()> {
        let stretch = self.stretch(of.to_owned(), 0);
        // Below this, every action potential has ended.
        let rest = 0.5 * (1.0 - level(self.fk)) * threshold(self.fk);
        let (mut step, stride) = (0, self.steps(LOOK_EVERY));
        let stimulus = self
            .fk
            .stimulus
            .iter()
            .map(|s| self.steps(s.duration))
            .max();
        loop {
            self.simulation.advance(self.comm, step, stride);
            self.simulation.failure(self.comm)?;
            step += stride;
            let largest = self.look(&stretch, step - stride, step)?;
            let over = step >= stimulus.unwrap_or(0) && largest < rest;
            if over || step as f64 * self.fk.dt > LONGEST {
                return Ok(());
            }
        }
    }

    fn stretch(&self, of: String, first: u64) -> Stretch {
        Stretch {
            of,
            first,
            begin: self.state_of_fields(),
        }
    }

    /// Largest |u| after step `step`, unless the run has diverged or is to stop. Collective.
    fn look(&self, stretch: &Stretch, good: u64, step: u64) -> Result<f64> {
        if let Some(by) = self.stop.asked(self.comm) {
            self.save()?;
            let (done, all) = (self.points.len(), self.intervals.len());
            let what_was_kept = format!("{done} of {all} intervals are kept");
            return agree(self.comm, Err(Error::Interrupted { by, what_was_kept }));
        }
        look(self.comm, self.simulation, self.fk.largest_u, good, step)
            .or_else(|trouble| self.diverged(stretch, trouble))
    }

    /// The error of the first step with trouble, sought from the begin of the stretch. Collective.
    fn diverged(&self, stretch: &Stretch, trouble: Trouble) -> Result<f64> {
        let first = || {
            let simulation = (self.fresh)()?;
            for (field, values) in stretch.begin.iter().enumerate() {
                simulation.scatter(self.comm, field, values.as_ref());
            }
            let go_on = || self.stop.asked(self.comm).is_none();
            let (from, limit) = (stretch.first, self.fk.largest_u);
            Ok::<_, Error>(trouble.first(self.comm, &*simulation, from, limit, go_on))
        };
        let trouble = first().ok().flatten().unwrap_or(trouble);
        agree(
            self.comm,
            Err(Error::Diverged {
                problem: format!(
                    "after {}, counted from its stimulus: {}",
                    stretch.of,
                    trouble.describe(&self.grid, self.fk.dt)
                ),
                remedy: "take a smaller fk.dt or a smaller fk.restitution.amplitude".into(),
            }),
        )
    }

    fn state_of_fields(&self) -> Vec<Option<Values>> {
        (0..self.fields)
            .map(|field| self.simulation.gather(self.comm, field))
            .collect()
    }

    fn state(&self) -> State {
        State {
            fields: self.state_of_fields(),
            upstrokes: self.simulation.upstrokes(self.comm),
        }
    }

    fn restore(&self, state: &State) -> Result<()> {
        for (field, values) in state.fields.iter().enumerate() {
            self.simulation.scatter(self.comm, field, values.as_ref());
        }
        self.set_upstrokes(state.upstrokes.as_ref())
    }

    fn forget_upstrokes(&self) -> Result<()> {
        let options = UpstrokeOptions {
            threshold: threshold(self.fk),
            keep: 0,
            apd_level: Some(level(self.fk)),
        };
        let none = self
            .prepared
            .map(|p| Upstrokes::new(p.grid.cells(), options).arrays());
        self.set_upstrokes(none.as_ref())
    }

    fn set_upstrokes(&self, arrays: Option<&UpstrokeArrays>) -> Result<()> {
        let set = self.simulation.restore_upstrokes(self.comm, arrays);
        agree(self.comm, set)
    }

    /// What the recorder has seen at each probe, on all ranks.
    fn seen(&self, probes: &[usize]) -> Vec<Seen> {
        let arrays = self.simulation.upstrokes(self.comm);
        let mut numbers: Vec<f64> = arrays.map_or_else(Vec::new, |a| {
            let of = |&c: &usize| [f64::from(a.count[c]), a.last[c], a.apd[c], a.peak[c]];
            probes.iter().flat_map(of).collect()
        });
        broadcast_slice(self.comm, 0, &mut numbers);
        let seen = |n: &[f64]| Seen {
            upstrokes: n[0] as u32,
            last: ActionPotential {
                activation: n[1],
                // A peak is held as long as the action potential lasts.
                repolarisation: if n[3].is_nan() { n[1] + n[2] } else { f64::NAN },
            },
        };
        numbers.chunks_exact(4).map(seen).collect()
    }
}
