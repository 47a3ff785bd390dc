//! `isochrone fk`: the monodomain equation on a grid.

mod prepare;
mod ranks;
mod record;
mod restitution;
mod state;
mod stop;
mod tune;

use std::path::PathBuf;
use std::time::Instant;

use prepare::{Prepared, prepare};
use record::{Recorders, RootInput, blank};
use state::{Checkpoints, Resumed};

use super::bridge;
use super::job::Job;
use super::output::{FK_CHECKPOINTS, Output};
use super::plan::Plan;
use super::signals::StopRequests;
use crate::cli::FkArgs;
use crate::comm::{Communicator, agree, broadcast_json};
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::inversion::optimizer::StopReason;
use crate::io;
use crate::mesh::formats;
use crate::monodomain::activation::UpstrokeOptions;
use crate::monodomain::bridge::sample;
use crate::monodomain::build::StimulusCells;
use crate::monodomain::grid::Grid;
use crate::monodomain::layout::layered;
use crate::monodomain::options::{FkOptions, Parameters};
use crate::monodomain::simulation::{self, Setup, Simulation, Values};
use crate::monodomain::stimulus::Schedule;
use crate::progress::{Console, Progress};
use crate::simd::SimdLevel;

/// Between two looks at signals, the clock and u, about this long.
const LOOK_EVERY_S: f64 = 0.1;

/// Runs the command. Collective.
pub fn run(args: &FkArgs, comm: &dyn Communicator, console: Console) -> Result<()> {
    let run = args.as_run();
    let mut job = Job::begin("fk", &run, comm, console, |case| case.fk().map(|_| ()))?;
    let fk = job.case.fk()?.clone();
    if let Some(options) = &fk.tune {
        return tune::run(&mut job, &fk, options);
    }
    if let Some(options) = &fk.restitution {
        return restitution::run(&mut job, &fk, options);
    }
    let reference = agree(comm, fk.parameters.of(&fk.model))?;
    let fields: Vec<String> = std::iter::once("u")
        .chain(reference.gates().iter().copied())
        .map(str::to_string)
        .collect();
    if !args.simulate_ranks.is_empty() {
        return ranks::count(&job, &fk, reference.gates(), &args.simulate_ranks);
    }
    let begun = Instant::now();
    let prepared = match comm.rank() {
        0 => prepare(&job.case, &fk, reference.gates()).map(Some),
        _ => Ok(None),
    };
    let prepared = agree(comm, prepared)?;
    if job.dry_run {
        return plan(&mut job, &fk, &fields, prepared.as_ref());
    }
    let stop = agree(comm, StopRequests::listen(job.case.run.max_minutes))?;
    let output = job.open_output(Some(FK_CHECKPOINTS))?;
    let simulation = build(&job, &fk, prepared.as_ref())?;
    let simulation = &*simulation;
    describe(&mut job, &fk, prepared.as_ref(), simulation);
    job.report.add_time("setup", begun.elapsed());

    let checkpoints = checkpoints(&job, &output, prepared.as_ref())?;
    let resumed = start(
        &job,
        simulation,
        &fields,
        &fk,
        checkpoints.as_ref(),
        prepared.as_ref(),
    )?;
    let inputs = prepared.as_ref().map_or(&[][..], |p| &p.inputs[..]);
    agree(comm, output.begin(comm, job.case.to_toml(), inputs))?;
    let end = fk.step_count().unwrap_or(0);
    let first = resumed.step;
    let probes = broadcast_json(comm, 0, prepared.as_ref().map(|p| p.probes.clone()))?;
    let root = prepared.as_ref().map(|p| RootInput {
        grid: &p.grid,
        tissue: &p.tissue,
        electrodes: p.electrodes.clone(),
        folder: &job.folder,
        segments: resumed.segments,
        kept: resumed.kept,
    });
    let recorders = Recorders::begin(&fk, end, fields.clone(), probes, root);
    let mut march = March {
        simulation,
        recorders: agree(comm, recorders)?,
        prepared: prepared.as_ref(),
        checkpoints,
        fields: &fields,
        fk: &fk,
        end,
    };
    let stopped = march.run(&mut job, &stop, first)?;
    let recorders = march.recorders;
    finish_report(&mut job, simulation, &fk, first, stopped.step);
    if let Some(tips) = recorders.tips() {
        let name = if prepared.as_ref().is_some_and(|p| p.grid.dimensions == 3) {
            "filaments"
        } else {
            "tips"
        };
        job.report.result(name, tips);
    }
    match stopped.reason {
        None => {
            job.report.result("stop_reason", "complete");
            write(
                &mut job,
                &output,
                simulation,
                &fk,
                &fields,
                recorders,
                prepared.as_ref(),
            )?;
            job.finish(&output)
        }
        Some(reason) => {
            job.report.result("stop_reason", reason.name());
            drop(recorders);
            job.finish(&output)?;
            let time = stopped.step as f64 * fk.dt;
            agree(
                comm,
                Err(Error::Interrupted {
                    by: reason.name().replace('_', " "),
                    what_was_kept: format!("the state after {time} ms is kept"),
                }),
            )
        }
    }
}

/// The simulation, at rest. Collective.
fn build(job: &Job, fk: &FkOptions, prepared: Option<&Prepared>) -> Result<Box<dyn Simulation>> {
    let comm = job.comm;
    let grid: Grid = broadcast_json(comm, 0, prepared.map(|p| p.grid.clone()))?;
    let sets: Vec<Parameters> = broadcast_json(comm, 0, prepared.map(|p| p.sets.clone()))?;
    let models = sets.iter().map(|set| set.of(&fk.model));
    let models = agree(comm, models.collect::<Result<Vec<_>>>())?;
    let stimuli = fk.stimulus.iter().enumerate().map(|(i, s)| StimulusCells {
        kind: s.kind,
        amplitude: s.amplitude,
        cells: prepared.map_or_else(Vec::new, |p| p.stimuli[i].clone()),
    });
    let upstrokes = fk.record.upstroke().map(|threshold| UpstrokeOptions {
        threshold,
        keep: fk.record.activations,
        apd_level: fk.record.apd_level,
    });
    simulation::build(
        comm,
        Setup {
            grid,
            tissue: prepared.map(|p| &p.tissue),
            models,
            stencil: fk.stencil,
            integrator: fk.integrator,
            precision: fk.precision,
            dt: fk.dt,
            stimuli: stimuli.collect(),
            schedules: fk
                .stimulus
                .iter()
                .map(|s| Schedule::new(s, fk.dt))
                .collect(),
            upstrokes,
            threads: job.threads,
            level: SimdLevel::detect(),
            steps_per_exchange: fk.steps_per_exchange,
            tile: asked_tile(fk),
        },
    )
}

/// Cells of a tile along z, y, x, where the configuration has them.
fn asked_tile(fk: &FkOptions) -> Option<[usize; 3]> {
    let given = fk.tile.as_ref()?;
    let mut tile = [1; 3];
    tile[3 - given.len()..].copy_from_slice(given);
    Some(tile)
}

/// Sizes, for the report and the log.
fn describe(
    job: &mut Job,
    fk: &FkOptions,
    prepared: Option<&Prepared>,
    simulation: &dyn Simulation,
) {
    let division = simulation.division();
    let active: u64 = division.tiles.iter().map(|t| t.active).sum();
    let mut of_rank = vec![0; job.comm.size()];
    for tile in &division.tiles {
        of_rank[tile.owner as usize] += tile.active;
    }
    let mean = active as f64 / of_rank.len() as f64;
    let most = of_rank.iter().copied().max().unwrap_or(0) as f64;
    job.report.count_once("tiles", division.tiles.len() as u64);
    job.report
        .count_once("steps_per_exchange", simulation.steps_per_exchange() as u64);
    job.report.result("load_balance", most / mean);
    if let Some(p) = prepared {
        job.report.grid(p.grid.file_shape(), active);
        tracing::info!(
            "{active} active cells of {:?}, {} ms in steps of {} ms, {} ranks x {} threads",
            p.grid.file_shape(),
            fk.step_count().unwrap_or(0) as f64 * fk.dt,
            fk.dt,
            job.comm.size(),
            job.threads
        );
    }
}

/// Where checkpoints go, on rank 0. Collective.
fn checkpoints(
    job: &Job,
    output: &Output,
    prepared: Option<&Prepared>,
) -> Result<Option<Checkpoints>> {
    let made = prepared.map(|p| {
        Ok(Checkpoints {
            folder: output.folder().to_owned(),
            fingerprint: state::fingerprint(&job.case, &p.inputs)?,
            keep: job.case.checkpoint.keep,
        })
    });
    agree(job.comm, made.transpose())
}

/// Initial state, or that of the last checkpoint. Collective.
fn start(
    job: &Job,
    simulation: &dyn Simulation,
    fields: &[String],
    fk: &FkOptions,
    checkpoints: Option<&Checkpoints>,
    prepared: Option<&Prepared>,
) -> Result<Resumed> {
    let comm = job.comm;
    let latest = match checkpoints {
        Some(c) if job.resume => io::latest(&c.folder, &c.fingerprint),
        _ => Ok(None),
    };
    let latest = agree(comm, latest)?;
    let found = (comm.rank() == 0).then_some(latest.is_some());
    if broadcast_json(comm, 0, found)? {
        let cells = simulation.division().shape.iter().product();
        let double = fk.precision == Precision::F64;
        let resumed = state::restore(comm, simulation, latest.as_ref(), fields, cells, double)?;
        if comm.rank() == 0 {
            tracing::info!("resuming after {} steps", resumed.step);
        }
        return Ok(resumed);
    }
    if job.resume && comm.rank() == 0 {
        tracing::info!("nothing to resume from, starting");
    }
    let given = prepared.map(|p| {
        p.initial
            .iter()
            .map(|(field, _)| *field)
            .collect::<Vec<_>>()
    });
    let given: Vec<usize> = broadcast_json(comm, 0, given)?;
    for (i, field) in given.into_iter().enumerate() {
        simulation.scatter(comm, field, prepared.map(|p| &p.initial[i].1));
    }
    Ok(Resumed {
        step: 0,
        segments: Default::default(),
        kept: None,
    })
}

/// The time loop.
struct March<'a> {
    simulation: &'a dyn Simulation,
    recorders: Recorders,
    prepared: Option<&'a Prepared>,
    checkpoints: Option<Checkpoints>,
    fields: &'a [String],
    fk: &'a FkOptions,
    end: u64,
}

/// How the time loop ended.
struct Stopped {
    step: u64,
    /// `None`: complete.
    reason: Option<StopReason>,
}

impl March<'_> {
    /// Advances from step `first` to the end, or until asked to stop. Collective.
    fn run(&mut self, job: &mut Job, stop: &StopRequests, first: u64) -> Result<Stopped> {
        let comm = job.comm;
        let tissue = self.prepared.map(|p| &p.tissue);
        let mut progress = Progress::start(&job.console, comm.rank(), "fk", self.end);
        let every_ms = job.case.checkpoint.every_ms;
        let checkpoint_steps = every_ms.map(|ms| ((ms / self.fk.dt).round() as u64).max(1));
        let every_minutes = job.case.checkpoint.every_minutes;
        let mut saved = Instant::now();
        let mut step = first;
        if first == 0 {
            let io = Instant::now();
            self.recorders.sample(comm, self.simulation, 0, tissue)?;
            job.report.add_time("io", io.elapsed());
        }
        // Steps between two looks: found by doubling, the same on all ranks.
        let (mut stride, mut unseen_s, mut checked) = (16, 0.0, first);
        while step < self.end {
            let mut next = self.recorders.next(step).min(step.saturating_add(stride));
            if let Some(n) = checkpoint_steps {
                next = next.min((step / n + 1) * n);
            }
            let begun = Instant::now();
            self.simulation.advance(comm, step, next - step);
            job.report.add_time("step", begun.elapsed());
            let advanced = next - step;
            step = next;

            let by_clock = comm.rank() == 0
                && every_minutes.is_some_and(|m| saved.elapsed().as_secs_f64() > 60.0 * m);
            let mut seen = [
                begun.elapsed().as_secs_f64(),
                f64::from(by_clock),
                stop.code(&job.report),
            ];
            comm.max_f64(&mut seen);
            unseen_s += seen[0];
            if advanced == stride {
                if seen[0] < 0.5 * LOOK_EVERY_S {
                    stride *= 2;
                } else if seen[0] > 2.0 * LOOK_EVERY_S {
                    stride = (stride / 2).max(1);
                }
            }
            let reason = StopRequests::of_code(seen[2]);
            let due = checkpoint_steps.is_some_and(|n| step.is_multiple_of(n)) || seen[1] > 0.0;
            let complete = step == self.end;
            let save = reason.is_some() && !complete || due;
            if unseen_s > LOOK_EVERY_S || save || complete {
                self.check(comm, checked, step)?;
                (unseen_s, checked) = (0.0, step);
            }
            let io = Instant::now();
            if self.recorders.next(step - 1) == step {
                self.recorders.sample(comm, self.simulation, step, tissue)?;
            }
            if save {
                let time = step as f64 * self.fk.dt;
                let to = self.checkpoints.as_ref();
                state::save(
                    comm,
                    self.simulation,
                    &mut self.recorders,
                    to,
                    self.fields,
                    step,
                    time,
                )?;
                saved = Instant::now();
                if comm.rank() == 0 {
                    tracing::debug!("checkpoint after {time} ms");
                }
            }
            job.report.add_time("io", io.elapsed());
            progress.set(step, "");
            if let Some(reason) = reason.filter(|_| !complete) {
                return Ok(Stopped {
                    step,
                    reason: Some(reason),
                });
            }
        }
        Ok(Stopped { step, reason: None })
    }

    /// Stops a run that has left what is physical. Collective.
    fn check(&self, comm: &dyn Communicator, before: u64, step: u64) -> Result<()> {
        let (largest, cell) = self.simulation.largest(comm);
        if largest <= self.fk.largest_u {
            return Ok(());
        }
        let grid: Option<Grid> = self.prepared.map(|p| p.grid.clone());
        let grid: Grid = broadcast_json(comm, 0, grid)?;
        let place = grid.place(cell);
        let dimensions = grid.dimensions.max(1);
        let axes = &place[3 - dimensions..];
        let (value, from, to) = (
            if largest.is_finite() {
                format!("|u| = {largest:.3e}")
            } else {
                "u is not a number".into()
            },
            before as f64 * self.fk.dt,
            step as f64 * self.fk.dt,
        );
        agree(
            comm,
            Err(Error::Diverged {
                problem: format!(
                    "{value} at cell {axes:?} (at {:?} mm), found after step {step}, between {from} and {to} ms",
                    &grid.centre(place)[..dimensions]
                ),
                remedy: "take a smaller fk.dt, weaker stimuli, or look at the initial state; checkpoints of before are kept".into(),
            }),
        )
    }
}

fn finish_report(
    job: &mut Job,
    simulation: &dyn Simulation,
    fk: &FkOptions,
    first: u64,
    step: u64,
) {
    let division = simulation.division();
    let rank = job.comm.rank();
    let own = division.tiles.iter().filter(|t| t.owner as usize == rank);
    let cells: u64 = own.map(|t| t.active).sum();
    let counters = simulation.counters();
    job.report.count("cell_updates", cells * (step - first));
    job.report.count("messages", counters.messages);
    job.report.count("bytes_sent", counters.bytes_sent);
    job.report.count_once("exchanges", counters.exchanges);
    job.report.count_once("steps", step - first);
    job.report.result("time_ms", step as f64 * fk.dt);
}

/// Final state and what was recorded of every cell. Collective.
fn write(
    job: &mut Job,
    output: &Output,
    simulation: &dyn Simulation,
    fk: &FkOptions,
    fields: &[String],
    recorders: Recorders,
    prepared: Option<&Prepared>,
) -> Result<()> {
    let io = Instant::now();
    let comm = job.comm;
    let inputs = prepared.map_or(&[][..], |p| &p.inputs[..]);
    let provenance = job.provenance(inputs)?;
    let state: Vec<Option<Values>> = (0..fields.len())
        .map(|field| simulation.gather(comm, field))
        .collect();
    let upstrokes = simulation.upstrokes(comm);
    let written = match (recorders.into_recording(), prepared) {
        (Some(recording), Some(p)) => recording.finish(|file| {
            for (name, values) in fields.iter().zip(state) {
                let dataset = format!("/fk/{name}");
                match values {
                    Some(Values::F32(mut values)) => {
                        blank(&mut values, &p.tissue, f32::NAN);
                        file.cell_field(&dataset, &values, "1")?;
                    }
                    Some(Values::F64(mut values)) => {
                        blank(&mut values, &p.tissue, f64::NAN);
                        file.cell_field(&dataset, &values, "1")?;
                    }
                    None => {}
                }
            }
            let time = fk.step_count().unwrap_or(0) as f64 * fk.dt;
            file.dataset("/fk/time", &[], &[time], "ms")?;
            if let Some(arrays) = &upstrokes {
                file.cell_field("/fk/activation_time", &arrays.first, "ms")?;
                file.cell_field("/fk/last_activation_time", &arrays.last, "ms")?;
                file.cell_field("/fk/activation_count", &arrays.count, "1")?;
                if !arrays.apd.is_empty() {
                    file.cell_field("/fk/apd", &arrays.apd, "ms")?;
                }
                if fk.record.activations > 0 {
                    let mut shape = p.grid.file_shape().to_vec();
                    shape.push(fk.record.activations);
                    file.dataset("/fk/activation_times", &shape, &arrays.kept, "ms")?;
                }
            }
            file.provenance(&provenance.texts)?;
            (provenance.numbers.iter()).try_for_each(|(name, n)| file.number("/", name, *n))
        }),
        _ => Ok(()),
    };
    agree(comm, written)?;
    if let (Some(p), Some(arrays)) = (prepared, &upstrokes) {
        let activated: Vec<f64> = arrays
            .first
            .iter()
            .copied()
            .filter(|t| t.is_finite())
            .collect();
        let last = activated.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        job.report.result("activated_cells", activated.len());
        if last.is_finite() {
            job.report.result("last_activation_ms", last);
        }
        conduction(job, fk, p, &arrays.first);
    }
    let bridged = match (&fk.bridge, prepared, &upstrokes) {
        (Some(options), Some(p), Some(arrays)) => {
            let mesh = match (&options.mesh, &p.mesh) {
                (Some(path), _) => formats::read(path, None).map(Some),
                (None, mesh) => Ok(mesh.clone()),
            };
            mesh.and_then(|mesh| {
                let mesh = mesh.ok_or_else(|| {
                    job.case.origins.error(
                        "fk.bridge",
                        "there is no mesh whose vertices could sample the activation times",
                        "give fk.bridge.mesh, or voxelise a mesh in this run",
                    )
                })?;
                let active = p.tissue.active.as_deref();
                let times = sample(&p.grid, active, &arrays.first, &mesh.points);
                bridge::write(
                    &output.path("activation.h5"),
                    &mesh,
                    &times,
                    &provenance.texts,
                )
            })
        }
        (Some(_), Some(_), None) => Err(job.case.origins.error(
            "fk.bridge",
            "activation times are not recorded",
            "set fk.record.activation_threshold, for example to 0.5",
        )),
        _ => Ok(()),
    };
    agree(comm, bridged)?;
    job.report.add_time("io", io.elapsed());
    Ok(())
}

/// Conduction velocity from the first probe to each other one.
fn conduction(job: &mut Job, fk: &FkOptions, p: &Prepared, first: &[f64]) {
    let place = |probe: &usize| p.grid.centre(p.grid.place(*probe));
    let Some((from, others)) = p.probes.split_first() else {
        return;
    };
    let velocities: Vec<Option<f64>> = others
        .iter()
        .map(|to| {
            let times = (first[*from], first[*to]);
            crate::monodomain::conduction::conduction_velocity(
                place(from),
                times.0,
                place(to),
                times.1,
            )
        })
        .collect();
    if !velocities.is_empty() && fk.record.upstroke().is_some() {
        job.report
            .result("conduction_velocity_mm_per_ms", velocities);
    }
}

/// `--dry-run`.
fn plan(
    job: &mut Job,
    fk: &FkOptions,
    fields: &[String],
    prepared: Option<&Prepared>,
) -> Result<()> {
    let mut plan = Plan::default();
    if let Some(p) = prepared {
        let cells = p.grid.cells() as u64;
        let active = match &p.tissue.active {
            None => cells,
            Some(active) => active.iter().filter(|a| **a).count() as u64,
        };
        let number = match fk.precision {
            Precision::F32 => 4,
            Precision::F64 => 8,
        };
        let shape: Vec<String> = p.grid.file_shape().iter().map(usize::to_string).collect();
        plan.step("grid", shape.join(" x "));
        plan.step("active cells", active);
        plan.step("steps", fk.step_count().unwrap_or(0));
        plan.step("ranks", job.comm.size());
        plan.step("threads per rank", job.threads);
        let ranks = job.comm.size() as u64;
        // u twice, the gates, weights of pairs where D varies; some ghosts.
        let uniform = matches!(
            p.tissue.diffusivity,
            crate::monodomain::grid::Diffusivity::Uniform([_, 0.0, 0.0, _, 0.0, _])
        );
        let weights = if uniform && p.tissue.active.is_none() {
            0
        } else {
            9
        };
        let per_cell = number * (fields.len() as u64 + 1 + weights) * 5 / 4;
        let shape = layered(&p.grid, p.grid.shape);
        let on_root = shape.iter().product::<usize>() as u64 * (number + 8);
        plan.memory_per_rank = (0..ranks)
            .map(|r| (20 << 20) + active / ranks * per_cell + if r == 0 { on_root } else { 0 })
            .collect();
    }
    let mut files = vec!["fk.h5", "fk.xdmf"];
    if fk.bridge.is_some() {
        files.extend(["activation.h5", "activation.xdmf"]);
    }
    plan.files = files
        .into_iter()
        .chain(["config.toml", "report.json"])
        .map(|name| job.folder.join(name))
        .collect::<Vec<PathBuf>>();
    plan.refused = job
        .check_output(Some(FK_CHECKPOINTS))
        .err()
        .map(|e| e.to_string());
    job.print_plan(&plan)
}
