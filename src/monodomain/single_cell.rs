//! One cell without tissue: pacing, action potential durations and their restitution.
//!
//!   du/dt = −J_ion(u, g) + I(t),    dg/dt = ġ(u, g)
//!
//! in f64, by the same kinetics and integrators as the grid. A cell is cheap: these protocols run
//! on one core in milliseconds.

use super::options::Integrator;
use crate::error::{Error, Result};
use crate::ionic::{self, GateStep, IonicModel, Kinetics, Model, Visitor};
use crate::real::Separate;

/// One cell and its state.
#[derive(Debug, Clone)]
pub struct SingleCell<M: IonicModel<G>, const G: usize> {
    kinetics: M::Kinetics<f64>,
    integrator: Integrator,
    dt: f64,
    rest: f64,
    /// Steps done since the beginning.
    steps: u64,
    /// |u| beyond which a beat has diverged.
    pub largest_u: f64,
    pub u: f64,
    pub gates: [f64; G],
}

/// A train of current pulses, du/dt = `amplitude` (1/ms) for `duration` ms. Times in ms, taken to
/// whole steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Pacing {
    pub start: f64,
    pub period: f64,
    pub duration: f64,
    pub amplitude: f64,
    pub beats: usize,
}

/// Between which crossings of u an action potential lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Repolarisation {
    /// From the upstroke to the repolarisation by this fraction of the beat's own amplitude, both at
    /// the same level: u = rest + (1 − fraction)(peak − rest). 0.9: APD90.
    Fraction(f64),
    /// Upstroke through one fixed u, repolarisation through another.
    Levels {
        activation: f64,
        repolarisation: f64,
    },
}

/// Response to one stimulus. Times in ms since the beginning, interpolated between steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// Begin of the stimulus.
    pub start: f64,
    /// Largest u until the next stimulus.
    pub peak: f64,
    /// Upstroke; `None`: u was above the level already, or did not reach it.
    pub activation: Option<f64>,
    /// `None`: not before the next stimulus.
    pub repolarisation: Option<f64>,
}

impl Beat {
    /// Action potential duration, ms.
    pub fn apd(&self) -> Option<f64> {
        Some(self.repolarisation? - self.activation?)
    }
}

/// A point of the S1–S2 restitution curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestitutionPoint {
    /// From the last S1 to S2, ms.
    pub interval: f64,
    /// From the repolarisation of the last S1 beat to the upstroke of S2, ms; `None`: no upstroke.
    pub diastolic_interval: Option<f64>,
    /// Of the S2 beat, ms; `None`: no action potential.
    pub apd: Option<f64>,
    /// Largest u after S2, which tells an action potential from the stimulus alone.
    pub peak: f64,
}

/// S1–S2 restitution.
#[derive(Debug, Clone, PartialEq)]
pub struct Restitution {
    /// The last S1 without an S2.
    pub s1: Beat,
    /// A point per interval, in the order given.
    pub points: Vec<RestitutionPoint>,
}

/// The last action potential of a protocol is waited for at most this long, ms.
const LONGEST_APD: f64 = 5000.0;

impl<M: IonicModel<G>, const G: usize> SingleCell<M, G> {
    /// A cell at rest. Errors: a step beyond the stability limit of the reaction, Δt·rate ≤ 2.
    pub fn new(model: &M, integrator: Integrator, dt: f64) -> Result<Self> {
        let largest = 2.0 / model.reaction_rate();
        if !(dt > 0.0 && dt <= largest) {
            return Err(Error::bad_data(
                "single cell",
                format!("time step of {dt} ms"),
                format!("it must be positive and at most {largest:.4} ms"),
            ));
        }
        let gates = match integrator {
            Integrator::Euler | Integrator::Heun => GateStep::Explicit,
            Integrator::RushLarsen => GateStep::Exponential,
        };
        let (u, at_rest) = model.rest();
        Ok(Self {
            kinetics: model.kinetics(dt, gates),
            integrator,
            dt,
            rest: u,
            steps: 0,
            largest_u: f64::MAX,
            u,
            gates: at_rest,
        })
    }

    /// ms since the beginning.
    pub fn time(&self) -> f64 {
        self.steps as f64 * self.dt
    }

    /// One step under a current du/dt, 1/ms.
    pub fn step(&mut self, current: f64) {
        let begin = (self.u, self.gates);
        let euler = |(u, gates): (f64, [f64; G])| {
            let (du, gates) = self.kinetics.step::<Separate>(u, gates);
            (u + (du + self.dt * current), gates)
        };
        let end = euler(begin);
        (self.u, self.gates) = match self.integrator {
            Integrator::Euler | Integrator::RushLarsen => end,
            Integrator::Heun => {
                let (u, gates) = euler(end);
                let mean = |i: usize| 0.5 * (begin.1[i] + gates[i]);
                (0.5 * (begin.0 + u), std::array::from_fn(mean))
            }
        };
        self.steps += 1;
    }

    /// The response to every stimulus of a train, from the present state.
    ///
    /// # Errors
    /// [`Error::Diverged`] with the time; `BadData` for a train that cannot be.
    pub fn pace(&mut self, pacing: &Pacing, measure: Repolarisation) -> Result<Vec<Beat>> {
        let train = self.train(pacing)?;
        for _ in 0..train.start {
            self.step(0.0);
        }
        let beats = (1..=pacing.beats).map(|beat| {
            let window = (beat < pacing.beats).then_some(train.period);
            self.beat(&train, window, measure)
        });
        beats.collect()
    }

    /// After `s1.beats` beats, one more (S2) at each of `intervals` after the last. Errors as of
    /// [`pace`](Self::pace).
    pub fn restitution(
        &mut self,
        s1: &Pacing,
        intervals: &[f64],
        measure: Repolarisation,
    ) -> Result<Restitution> {
        let train = self.train(s1)?;
        if s1.beats == 0 {
            return Err(Error::bad_data(
                "S1 stimuli",
                "there are none",
                "give one or more beats",
            ));
        }
        if let Some(interval) = intervals
            .iter()
            .find(|i| !(**i >= s1.duration && i.is_finite()))
        {
            return Err(Error::bad_data(
                format!("S1–S2 interval of {interval} ms"),
                format!("shorter than the stimulus ({} ms)", s1.duration),
                "give longer intervals",
            ));
        }
        for _ in 0..train.start {
            self.step(0.0);
        }
        for _ in 1..s1.beats {
            self.beat(&train, Some(train.period), measure)?;
        }
        let last = self.clone().beat(&train, None, measure)?;
        let mut order: Vec<usize> = (0..intervals.len()).collect();
        order.sort_by(|&a, &b| intervals[a].total_cmp(&intervals[b]));
        let mut points = vec![None; intervals.len()];
        let mut done = 0;
        for i in order {
            while done < self.in_steps(intervals[i]) {
                self.step(train.current(done));
                done += 1;
            }
            let s2 = self.clone().beat(&train, None, measure)?;
            let diastole = s2.activation.zip(last.repolarisation).map(|(a, r)| a - r);
            points[i] = Some(RestitutionPoint {
                interval: intervals[i],
                diastolic_interval: diastole,
                apd: s2.apd(),
                peak: s2.peak,
            });
        }
        Ok(Restitution {
            s1: last,
            points: points.into_iter().flatten().collect(),
        })
    }

    /// One stimulus and `window` steps, or until u has fallen back.
    fn beat(
        &mut self,
        train: &Train,
        window: Option<u64>,
        measure: Repolarisation,
    ) -> Result<Beat> {
        let start = self.time();
        let longest = window.unwrap_or_else(|| self.in_steps(LONGEST_APD) + train.duration);
        let mut trace = vec![self.u];
        let mut peak = self.u;
        for step in 0..longest {
            self.step(train.current(step));
            self.check(start)?;
            trace.push(self.u);
            peak = peak.max(self.u);
            let over = window.is_none() && step >= train.duration;
            if over && self.u < measure.repolarisation(self.rest, peak) {
                break;
            }
        }
        let time = |i: usize, level: f64| {
            start + (i as f64 + (level - trace[i]) / (trace[i + 1] - trace[i])) * self.dt
        };
        let highest = trace.iter().position(|&u| u == peak).unwrap_or(0);
        let up = measure.activation(self.rest, peak);
        let rises = |i: &usize| trace[*i] < up && trace[i + 1] >= up;
        let down = measure.repolarisation(self.rest, peak);
        let falls = |i: &usize| trace[*i] >= down && trace[i + 1] < down;
        Ok(Beat {
            start,
            peak,
            activation: (0..highest).rev().find(rises).map(|i| time(i, up)),
            repolarisation: (highest..trace.len() - 1)
                .find(falls)
                .map(|i| time(i, down)),
        })
    }

    /// Refuses a u that is not physical, in the beat that began at `start`.
    fn check(&self, start: f64) -> Result<()> {
        if self.u.abs() <= self.largest_u {
            return Ok(());
        }
        let value = if self.u.is_finite() {
            format!("|u| = {:.3e}", self.u.abs())
        } else {
            "u is not a number".into()
        };
        Err(Error::Diverged {
            problem: format!(
                "{value} in a single cell after step {}, {:.6} ms after the stimulus at {start:.6} ms",
                self.steps,
                self.time() - start
            ),
            remedy: "take a smaller time step or a smaller amplitude".into(),
        })
    }

    fn in_steps(&self, time: f64) -> u64 {
        (time / self.dt).round() as u64
    }

    fn train(&self, pacing: &Pacing) -> Result<Train> {
        let numbers = [pacing.start, pacing.period, pacing.duration];
        let problem = if numbers.iter().any(|t| !(*t >= 0.0 && t.is_finite())) {
            Some("start, period and duration must be zero or more")
        } else if !pacing.amplitude.is_finite() {
            Some("the amplitude must be a number")
        } else if pacing.beats > 1 && pacing.period <= pacing.duration {
            Some("the period must be longer than a stimulus")
        } else {
            None
        };
        match problem {
            Some(problem) => Err(Error::bad_data(
                "pacing of a single cell",
                format!("{pacing:?}"),
                problem,
            )),
            None => Ok(Train {
                start: self.in_steps(pacing.start),
                period: self.in_steps(pacing.period),
                duration: self.in_steps(pacing.duration),
                amplitude: pacing.amplitude,
            }),
        }
    }
}

/// [`Pacing`] in steps.
struct Train {
    start: u64,
    period: u64,
    duration: u64,
    amplitude: f64,
}

impl Train {
    /// Current in a step counted from the begin of a stimulus.
    fn current(&self, step: u64) -> f64 {
        if step < self.duration {
            self.amplitude
        } else {
            0.0
        }
    }
}

impl Repolarisation {
    fn activation(self, rest: f64, peak: f64) -> f64 {
        match self {
            Repolarisation::Fraction(fraction) => rest + (1.0 - fraction) * (peak - rest),
            Repolarisation::Levels { activation, .. } => activation,
        }
    }

    fn repolarisation(self, rest: f64, peak: f64) -> f64 {
        match self {
            Repolarisation::Fraction(fraction) => rest + (1.0 - fraction) * (peak - rest),
            Repolarisation::Levels { repolarisation, .. } => repolarisation,
        }
    }
}

/// [`SingleCell::pace`] of a cell at rest, for a model chosen at run time.
///
/// # Errors
/// Those of [`SingleCell::new`] and [`SingleCell::pace`].
pub fn pace(
    model: &Model,
    integrator: Integrator,
    dt: f64,
    pacing: &Pacing,
    measure: Repolarisation,
) -> Result<Vec<Beat>> {
    struct Pace<'a>(Integrator, f64, &'a Pacing, Repolarisation);
    impl Visitor for Pace<'_> {
        type Output = Result<Vec<Beat>>;
        fn visit<M: IonicModel<G>, const G: usize>(self, models: Vec<M>) -> Self::Output {
            SingleCell::new(&models[0], self.0, self.1)?.pace(self.2, self.3)
        }
    }
    let one = std::slice::from_ref(model);
    ionic::dispatch(one, Pace(integrator, dt, pacing, measure))?
}

/// [`SingleCell::restitution`] of a cell at rest, for a model chosen at run time; it has diverged
/// where |u| exceeds `largest_u`.
///
/// # Errors
/// Those of [`SingleCell::new`] and [`SingleCell::restitution`].
pub fn restitution(
    model: &Model,
    integrator: Integrator,
    dt: f64,
    largest_u: f64,
    s1: &Pacing,
    intervals: &[f64],
    measure: Repolarisation,
) -> Result<Restitution> {
    struct Run<'a> {
        integrator: Integrator,
        dt: f64,
        largest_u: f64,
        s1: &'a Pacing,
        intervals: &'a [f64],
        measure: Repolarisation,
    }
    impl Visitor for Run<'_> {
        type Output = Result<Restitution>;
        fn visit<M: IonicModel<G>, const G: usize>(self, models: Vec<M>) -> Self::Output {
            let mut cell = SingleCell::new(&models[0], self.integrator, self.dt)?;
            cell.largest_u = self.largest_u;
            cell.restitution(self.s1, self.intervals, self.measure)
        }
    }
    let run = Run {
        integrator,
        dt,
        largest_u,
        s1,
        intervals,
        measure,
    };
    ionic::dispatch(std::slice::from_ref(model), run)?
}
