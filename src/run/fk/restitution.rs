//! `[fk.restitution]`: S1–S2 restitution of action potential duration and conduction velocity.
//!
//! S1 runs once. Every S2 begins from the state that the last S1 has left after its interval, and
//! every beat has a clock of its own that starts with its stimulus, so that one stimulus at time 0
//! serves all.

use std::time::Instant;

use super::build;
use super::divergence::{Trouble, look};
use super::prepare::{Prepared, prepare};
use super::protocol_file::{Points, ProtocolFile};
use super::state;
use super::stop::Stop;
use crate::comm::{Communicator, agree, broadcast_json, broadcast_slice};
use crate::error::{Error, Result};
use crate::io::ResultFile;
use crate::monodomain::activation::{UpstrokeArrays, UpstrokeOptions, Upstrokes};
use crate::monodomain::conduction::{ActionPotential, RestitutionPoint, restitution_point};
use crate::monodomain::grid::Grid;
use crate::monodomain::options::{
    FkOptions, RestitutionOptions, StimulusKind, StimulusOptions, Timing,
};
use crate::monodomain::simulation::{Simulation, Values};
use crate::monodomain::single_cell::{self, Pacing, Repolarisation};
use crate::run::job::Job;
use crate::run::output::FK_PROTOCOL;
use crate::run::plan::Plan;
use crate::run::signals::StopRequests;
use crate::tensor::Vec3;

/// The end of a beat is waited for at most this long, ms.
const LONGEST: f64 = 5000.0;
/// Between two looks at the tissue, ms.
const LOOK_EVERY: f64 = 10.0;

/// Runs the protocol. Collective.
pub fn run(job: &mut Job, fk: &FkOptions, options: &RestitutionOptions) -> Result<()> {
    let comm = job.comm;
    let fk = with_stimulus(fk, options);
    let axes = fk.grid.as_ref().map_or(0, |grid| grid.dimensions());
    if job.dry_run {
        return plan(job, options, axes);
    }
    let requests = agree(comm, StopRequests::listen(job.case.run.max_minutes))?;
    let output = job.open_output(Some(FK_PROTOCOL))?;
    let begun = Instant::now();
    let mut file = None;
    let (points, inputs) = if axes == 0 {
        output.begin(comm, job.case.to_toml(), &[])?;
        let points = (comm.rank() == 0).then(|| on_a_cell(&fk, options));
        (agree(comm, points.transpose())?.unwrap_or_default(), vec![])
    } else {
        let reference = agree(comm, fk.parameters.of(&fk.model))?;
        let prepared = match comm.rank() {
            0 => prepare(&job.case, &fk, reference.gates()).map(Some),
            _ => Ok(None),
        };
        let prepared = agree(comm, prepared)?;
        let prepared = prepared.as_ref();
        let simulation = build(job, &fk, prepared)?;
        let inputs = prepared.map_or(vec![], |p| p.inputs.clone());
        let kept = prepared.map(|p| {
            Ok(ProtocolFile {
                path: output.path(FK_PROTOCOL),
                fingerprint: state::fingerprint(&job.case, &p.inputs)?,
            })
        });
        file = agree(comm, kept.transpose())?;
        let points = match &file {
            Some(file) if job.resume => file.load().map(Some),
            file => Ok(file.as_ref().map(|_| Points::new())),
        };
        let points: Points = broadcast_json(comm, 0, agree(comm, points)?)?;
        output.begin(comm, job.case.to_toml(), &inputs)?;
        let stop = Stop {
            requests,
            report: &job.report,
        };
        let mut protocol = Protocol {
            comm,
            simulation: &*simulation,
            fresh: &|| build(job, &fk, prepared),
            grid: broadcast_json(comm, 0, prepared.map(|p| p.grid.clone()))?,
            prepared,
            fields: 1 + reference.gates().len(),
            fk: &fk,
            stop: &stop,
            file: file.as_ref(),
            intervals: options.s2.values(),
            points,
        };
        (protocol.run(options)?, inputs)
    };
    job.report.add_time("step", begun.elapsed());
    let begun = Instant::now();
    let provenance = job.provenance(&inputs)?;
    let written = if comm.rank() == 0 {
        log(&points, fk.record.probes.len());
        write(&output.path("fk.h5"), &points, &provenance)
            .and_then(|()| file.as_ref().map_or(Ok(()), ProtocolFile::remove))
    } else {
        Ok(())
    };
    agree(comm, written)?;
    job.report.add_time("io", begun.elapsed());
    let column = |of: fn(&RestitutionPoint) -> Option<f64>| -> Vec<Option<f64>> {
        points.iter().map(of).collect()
    };
    job.report.result("stop_reason", "complete");
    job.report
        .result("s2_interval", column(|p| Some(p.interval)));
    job.report
        .result("diastolic_interval", column(|p| p.diastolic_interval));
    job.report.result("apd", column(|p| p.apd));
    job.report
        .result("conduction_velocity", column(|p| p.velocity));
    job.finish(&output)
}

/// The simulation of one beat.
fn with_stimulus(fk: &FkOptions, options: &RestitutionOptions) -> FkOptions {
    let mut fk = fk.clone();
    fk.stimulus = (options.region.iter())
        .map(|region| StimulusOptions {
            kind: StimulusKind::Current,
            amplitude: options.amplitude,
            region: region.clone(),
            timing: Timing::Plain,
            start: 0.0,
            duration: options.duration,
            period: None,
            count: None,
        })
        .collect();
    fk.record.apd_level = fk.record.apd_level.or(Some(0.9));
    fk.record.activations = 0;
    fk.bridge = None;
    fk
}

/// Fraction of repolarisation that ends an action potential.
fn level(fk: &FkOptions) -> f64 {
    fk.record.apd_level.unwrap_or(0.9)
}

/// u of an upstroke.
fn threshold(fk: &FkOptions) -> f64 {
    fk.record.upstroke().unwrap_or(0.5)
}

/// The curve of a cell without tissue, in f64.
fn on_a_cell(fk: &FkOptions, options: &RestitutionOptions) -> Result<Vec<RestitutionPoint>> {
    let s1 = Pacing {
        start: 0.0,
        period: options.s1_period,
        duration: options.duration,
        amplitude: options.amplitude,
        beats: options.s1_count as usize,
    };
    let curve = single_cell::restitution(
        &fk.parameters.of(&fk.model)?,
        fk.integrator,
        fk.dt,
        fk.largest_u,
        &s1,
        &options.s2.values(),
        Repolarisation::Fraction(level(fk)),
    )?;
    if curve.s1.peak < threshold(fk) {
        return Err(unanswered(format!(
            "S1 makes no action potential: u reaches {:.3}, less than {}",
            curve.s1.peak,
            threshold(fk)
        )));
    }
    // A stimulus that is not answered leaves a small peak with a duration of its own.
    let point = |p: single_cell::RestitutionPoint| {
        let answered = p.peak >= threshold(fk);
        RestitutionPoint {
            interval: p.interval,
            diastolic_interval: p.diastolic_interval.filter(|rest| answered && *rest >= 0.0),
            apd: p.apd.filter(|_| answered),
            velocity: None,
        }
    };
    Ok(curve.points.into_iter().map(point).collect())
}

/// The error that S1 is in vain.
fn unanswered(problem: String) -> Error {
    Error::bad_data(
        "fk.restitution",
        problem,
        "give a larger amplitude, a longer duration or a larger region",
    )
}

/// The protocol on a grid.
struct Protocol<'a> {
    comm: &'a dyn Communicator,
    simulation: &'a dyn Simulation,
    /// Makes another one, at rest.
    fresh: &'a dyn Fn() -> Result<Box<dyn Simulation>>,
    grid: Grid,
    prepared: Option<&'a Prepared>,
    /// u and the gates.
    fields: usize,
    fk: &'a FkOptions,
    stop: &'a Stop<'a>,
    /// Where the points are kept, on rank 0.
    file: Option<&'a ProtocolFile>,
    intervals: Vec<f64>,
    /// Those that are done.
    points: Points,
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
    fn run(&mut self, options: &RestitutionOptions) -> Result<Vec<RestitutionPoint>> {
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

fn log(points: &[RestitutionPoint], probes: usize) {
    tracing::info!("S2 after [ms]  rest before [ms]  APD [ms]  velocity [mm/ms]");
    for p in points {
        let number = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.3}"));
        let note = match (p.apd, p.velocity) {
            (None, None) => "  no action potential: not captured, or blocked before the probe",
            (_, None) if probes > 1 => "  blocked between the probes",
            _ => "",
        };
        tracing::info!(
            "{:>13.3}  {:>16}  {:>8}  {:>16}{note}",
            p.interval,
            number(p.diastolic_interval),
            number(p.apd),
            number(p.velocity)
        );
    }
}

/// A row per S2: NaN where there was no action potential or no conduction.
fn write(
    path: &std::path::Path,
    points: &[RestitutionPoint],
    provenance: &crate::report::Provenance,
) -> Result<()> {
    let file = ResultFile::create(path)?;
    let column = |name: &str, unit: &str, of: fn(&RestitutionPoint) -> Option<f64>| {
        let values: Vec<f64> = points.iter().map(|p| of(p).unwrap_or(f64::NAN)).collect();
        file.dataset(
            &format!("/fk/restitution/{name}"),
            &[values.len()],
            &values,
            unit,
        )
    };
    column("s2_interval", "ms", |p| Some(p.interval))?;
    column("diastolic_interval", "ms", |p| p.diastolic_interval)?;
    column("apd", "ms", |p| p.apd)?;
    column("conduction_velocity", "mm/ms", |p| p.velocity)?;
    file.provenance(&provenance.texts)?;
    (provenance.numbers.iter()).try_for_each(|(name, n)| file.number("/", name, *n))?;
    file.finish()
}

/// `--dry-run`.
fn plan(job: &mut Job, options: &RestitutionOptions, axes: usize) -> Result<()> {
    let mut plan = Plan::default();
    plan.step("S1-S2 protocol on a grid of axes", axes);
    plan.step("S1 stimuli", options.s1_count);
    plan.step("S2 intervals", options.s2.count());
    plan.files = ["fk.h5", "config.toml", "report.json"]
        .map(|name| job.folder.join(name))
        .to_vec();
    plan.refused = job
        .check_output(Some(FK_PROTOCOL))
        .err()
        .map(|e| e.to_string());
    job.print_plan(&plan)
}
