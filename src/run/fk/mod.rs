//! `isochrone fk`: the monodomain equation on a grid.

mod divergence;
mod march;
mod memory;
mod plan;
mod prepare;
mod protocol_file;
mod ranks;
mod record;
mod restitution;
mod state;
mod stop;
mod tune;
mod write;

use std::time::Instant;

use divergence::{Trouble, ms};
use march::{Ended, March};
use prepare::{Prepared, prepare};
use record::{Recorders, RootInput};
use state::{Checkpoints, Resumed};

use super::job::Job;
use super::output::{FK_CHECKPOINTS, Output};
use super::signals::StopRequests;
use crate::cli::FkArgs;
use crate::comm::{Communicator, agree, broadcast_json};
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::io::{self, Checkpoint};
use crate::monodomain::activation::UpstrokeOptions;
use crate::monodomain::build::StimulusCells;
use crate::monodomain::grid::Grid;
use crate::monodomain::options::{FkOptions, Parameters};
use crate::monodomain::simulation::{self, Setup, Simulation};
use crate::monodomain::stimulus::Schedule;
use crate::progress::Console;
use crate::simd::SimdLevel;
use crate::units::counted;

/// Runs the command. Collective.
pub fn run(args: &FkArgs, comm: &dyn Communicator, console: Console) -> Result<()> {
    let run = args.as_run();
    let mut job = Job::begin("fk", &run, comm, console, |case| case.fk().map(|_| ()))?;
    let fk = job.case.fk()?.clone();
    if comm.rank() == 0 {
        for warning in job.case.fk_warnings() {
            tracing::warn!("{warning}");
        }
    }
    if let Some(options) = &fk.tune {
        return tune::run(&mut job, &fk, options, run.output.is_some());
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
        let to_folder = run.output.is_some();
        return ranks::count(
            &mut job,
            &fk,
            reference.gates(),
            &args.simulate_ranks,
            to_folder,
        );
    }
    let begun = Instant::now();
    let prepared = match comm.rank() {
        0 => prepare(&job.case, &fk, reference.gates()).and_then(|p| {
            memory::refuse_activations(&job.case, &fk, p.grid.cells(), comm.size())?;
            Ok(Some(p))
        }),
        _ => Ok(None),
    };
    let prepared = agree(comm, prepared)?;
    if job.dry_run {
        return plan::plan(&mut job, &fk, &fields, prepared.as_ref());
    }
    let stop = agree(comm, StopRequests::listen(job.case.run.max_minutes))?;
    let output = job.open_output(Some(FK_CHECKPOINTS))?;
    let simulation = build(&job, &fk, prepared.as_ref())?;
    describe(&mut job, &fk, prepared.as_ref(), &*simulation);
    job.report.add_time("setup", begun.elapsed());

    let checkpoints = checkpoints(&job, &output, prepared.as_ref())?;
    let checkpoints = checkpoints.as_ref();
    let end = fk.step_count().unwrap_or(0);
    let latest = match checkpoints {
        Some(c) if job.resume => latest(c).and_then(|latest| {
            let within = latest
                .as_ref()
                .map(|l| state::before_end(l, &job.case, end, fk.dt));
            within.transpose().map(|_| latest)
        }),
        _ => Ok(None),
    };
    let latest = agree(comm, latest)?;
    let resumed = start(comm, &*simulation, &fields, &fk, latest, prepared.as_ref())?;
    if job.resume && comm.rank() == 0 {
        match resumed.step {
            0 => tracing::info!("nothing to resume from, starting"),
            step => tracing::info!("resuming after {step} steps"),
        }
    }
    let inputs = prepared.as_ref().map_or(&[][..], |p| &p.inputs[..]);
    let first = resumed.step;
    if first > 0 {
        // Timers and counters are those of the steps from here on.
        job.report.result("resumed_from_ms", ms(first, fk.dt));
    }
    let probes = broadcast_json(comm, 0, prepared.as_ref().map(|p| p.probes.clone()))?;
    let root = prepared.as_ref().map(|p| RootInput {
        grid: &p.grid,
        tissue: &p.tissue,
        electrodes: p.electrodes.clone(),
        folder: &job.folder,
        segments: resumed.segments,
        kept: resumed.kept,
    });
    agree(comm, output.begin(comm, job.case.to_toml(), inputs))?;
    let recorders = Recorders::begin(&fk, end, fields.clone(), probes, root);
    let mut march = March {
        simulation: &*simulation,
        recorders: agree(comm, recorders)?,
        prepared: prepared.as_ref(),
        checkpoints,
        fields: &fields,
        fk: &fk,
        end,
    };
    let ended = march.run(&mut job, &stop, first)?;
    let recorders = march.recorders;
    let step = match &ended {
        Ended::Complete => first.max(end),
        Ended::Stopped(step, _) => *step,
        Ended::Diverged(trouble) => trouble.bad,
    };
    finish_report(&mut job, &*simulation, &fk, first, step);
    if let Some(tips) = recorders.tips() {
        let name = if prepared.as_ref().is_some_and(|p| p.grid.dimensions == 3) {
            "filaments"
        } else {
            "tips"
        };
        job.report.result(name, tips);
    }
    match ended {
        Ended::Complete => {
            job.report.result("stop_reason", "complete");
            write::write(
                &mut job,
                &output,
                &*simulation,
                &fk,
                &fields,
                step,
                recorders,
                prepared.as_ref(),
            )?;
            job.finish(&output)
        }
        Ended::Stopped(step, reason) => {
            job.report.result("stop_reason", reason.name());
            drop(recorders);
            job.write_report(&output)?;
            let time = ms(step, fk.dt);
            agree(
                comm,
                Err(Error::Interrupted {
                    by: reason.name().replace('_', " "),
                    what_was_kept: format!("the state after {time} ms is kept"),
                }),
            )
        }
        Ended::Diverged(trouble) => {
            // Room for another simulation.
            drop((recorders, simulation));
            diverged(
                &job,
                &fk,
                &fields,
                checkpoints,
                prepared.as_ref(),
                &stop,
                trouble,
            )
        }
    }
}

/// The error of a run that has diverged: the first step with `trouble`, from the last checkpoint or
/// the initial state on. Collective.
fn diverged(
    job: &Job,
    fk: &FkOptions,
    fields: &[String],
    checkpoints: Option<&Checkpoints>,
    prepared: Option<&Prepared>,
    stop: &StopRequests,
    trouble: Trouble,
) -> Result<()> {
    let comm = job.comm;
    let grid: Grid = broadcast_json(comm, 0, prepared.map(|p| p.grid.clone()))?;
    let latest = agree(comm, checkpoints.map_or(Ok(None), latest));
    let kept = match &latest {
        Ok(Some(checkpoint)) => Some(ms(checkpoint.step(), fk.dt)),
        _ => None,
    };
    let first = || {
        let simulation = build(job, fk, prepared)?;
        let from = start(comm, &*simulation, fields, fk, latest?, prepared)?.step;
        if comm.rank() == 0 {
            tracing::warn!(
                "{}; going back to {} ms to find where it began",
                trouble.describe(&grid, fk.dt),
                ms(from, fk.dt)
            );
        }
        let go_on = || {
            let mut asked = [stop.code(&job.report)];
            comm.max_f64(&mut asked);
            asked[0] == 0.0
        };
        Ok::<_, Error>(trouble.first(comm, &*simulation, from, fk.largest_u, go_on))
    };
    // What was found stays true where going back fails.
    let trouble = first().ok().flatten().unwrap_or(trouble);
    agree(comm, Err(trouble.error(&grid, fk.dt, kept)))
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
            device: job.device.clone(),
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
            "{active} active cells of {:?}, {} ms in steps of {} ms, {} x {}",
            p.grid.file_shape(),
            ms(fk.step_count().unwrap_or(0), fk.dt),
            fk.dt,
            counted(job.comm.size(), "rank"),
            counted(job.threads, "thread")
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

/// The last checkpoint of the run.
fn latest(checkpoints: &Checkpoints) -> Result<Option<Checkpoint>> {
    io::latest(&checkpoints.folder, &checkpoints.fingerprint)
}

/// Brings a simulation at rest into the initial state, or into that of a checkpoint, which rank 0
/// has. Collective.
fn start(
    comm: &dyn Communicator,
    simulation: &dyn Simulation,
    fields: &[String],
    fk: &FkOptions,
    checkpoint: Option<Checkpoint>,
    prepared: Option<&Prepared>,
) -> Result<Resumed> {
    let found = (comm.rank() == 0).then_some(checkpoint.is_some());
    if broadcast_json(comm, 0, found)? {
        let cells = simulation.division().shape.iter().product();
        let double = fk.precision == Precision::F64;
        return state::restore(comm, simulation, checkpoint.as_ref(), fields, cells, double);
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
    Ok(Resumed::nowhere())
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
    job.report.result("time_ms", ms(step, fk.dt));
}
