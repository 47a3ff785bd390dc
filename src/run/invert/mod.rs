//! `isochrone invert`: γ of every domain from measured activation times.

mod refine;
mod uncertainty;
mod write;

use std::path::PathBuf;
use std::time::Instant;

use super::eikonal::{count_forward, plan};
use super::gradient::add_timers;
use super::history::{self, HISTORY, History, Kept, Level};
use super::job::Job;
use super::misfit::{configured_unknowns, moving_sources, observations};
use super::model::{self, Model, expand_gamma};
use super::output::{CHECKPOINT, Output};
use super::signals::StopRequests;
use crate::cli::RunArgs;
use crate::comm::{Communicator, agree, broadcast_json};
use crate::config::Case;
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::inversion::coordinator::{Callbacks, Outcome, Resume, Settings, coordinate};
use crate::inversion::eikonal_misfit::{EikonalMisfit, Spent};
use crate::inversion::objective::Objective;
use crate::inversion::regularisation::Neighbours;
use crate::inversion::schedule::CurvePoint;
use crate::inversion::uncertainty::Uncertainty;
use crate::io::Fingerprint;
use crate::partition::domain_contacts;
use crate::progress::{Console, Progress};
use crate::real::Real;
use crate::sha256;
use crate::units::counted;

/// What an inversion found.
struct Estimate {
    outcome: Outcome,
    /// Times at the result, on rank 0.
    phi: Vec<f64>,
    uncertainty: Option<Uncertainty>,
    /// Refinements of the domains before it.
    levels: Vec<Level>,
    /// The sweep over the weight of the penalties.
    curve: Option<Vec<CurvePoint>>,
    /// Whether the weight lies at the end of the sweep.
    at_end: bool,
    /// On rank 0.
    history: Option<History>,
}

/// Runs the command. Collective.
pub fn run(args: &RunArgs, comm: &dyn Communicator, console: Console) -> Result<()> {
    let mut job = Job::begin("invert", args, comm, console, |case| {
        case.mesh()?;
        case.sources()?;
        case.inversion()?;
        Ok(())
    })?;
    if job.dry_run {
        let directions = job.case.domains.known_count().unwrap_or(1) as u64;
        let mut files = job.case.output.files("inversion", true);
        files.push(HISTORY.into());
        return plan(&mut job, &files, Some(CHECKPOINT), directions);
    }
    let stop = agree(comm, StopRequests::listen(job.case.run.max_minutes))?;
    let output = job.open_output(Some(CHECKPOINT))?;
    let mut model = model::build(&mut job)?;
    let mut estimate = match job.case.eikonal.precision {
        Precision::F32 => minimise::<f32>(&mut job, &mut model, &output, &stop)?,
        Precision::F64 => minimise::<f64>(&mut job, &mut model, &output, &stop)?,
    };
    write::write(&mut job, &output, &model, &estimate)?;
    job.finish(&output)?;
    let whole = job.report.whole();
    let kept = (estimate.history.as_mut()).map_or(Ok(()), |history| history.end(whole));
    agree(comm, kept)?;
    let outcome = &estimate.outcome;
    if outcome.stop_reason.is_interruption() {
        let iterations = outcome.history.last().map_or(0, |r| r.iteration);
        return agree(
            comm,
            Err(Error::Interrupted {
                by: outcome.stop_reason.name().replace('_', " "),
                what_was_kept: format!("{iterations} iterations are kept"),
            }),
        );
    }
    Ok(())
}

/// The inversion, and the times of its result on rank 0.
fn minimise<T: Real>(
    job: &mut Job,
    model: &mut Model,
    output: &Output,
    stop: &StopRequests,
) -> Result<Estimate> {
    let comm = job.comm;
    let mut eikonal = model.eikonal::<T>(job)?;
    let k = model.gamma.len();
    let most = job.case.inversion.refinement.domains;
    if comm.rank() == 0 && (1..=k).contains(&most) {
        let what = format!(
            "{most} has no effect: there are {k} domains already; give more than {k}, or 0 for none"
        );
        let key = "inversion.refinement.domains";
        tracing::warn!("{}", job.case.origins.line(key, &what));
    }
    let initial = match &job.case.inversion.initial_gamma {
        Some(gamma) => expand_gamma("inversion.initial_gamma", gamma, k, &job.case),
        None => Ok(model.gamma.clone()),
    };
    let initial = agree(comm, initial)?;
    let unknowns = configured_unknowns(comm, model);
    let (mut initial, unknowns) = ([&initial[..], &unknowns].concat(), unknowns.len());
    let mut observations = observations(job, model, &mut eikonal)?;
    let measurements = observations.count(comm);
    let mut settings = settings(job, model, measurements)?;

    let kept = if comm.rank() == 0 {
        kept(job, model, output).map(Some)
    } else {
        Ok(None)
    };
    let kept = agree(comm, kept)?;
    if let Some((_, Some(kept))) = &kept {
        job.report.resumed(kept.earlier_parts());
    }
    job.begin_output(output, model)?;
    let started = kept.map(|(case, kept)| {
        let history = History::start(output, case, kept.as_ref())?;
        Ok((history, kept))
    });
    let (mut history, kept) = match agree(comm, started.transpose())? {
        Some((history, kept)) => (Some(history), kept.unwrap_or_default()),
        None => (None, Kept::default()),
    };
    if comm.rank() == 0 {
        let [vertices, tetrahedra] = model.size;
        let of_sources = match unknowns {
            0 => String::new(),
            n => format!(" and {n} unknowns of sources"),
        };
        tracing::info!(
            "inverting for {}{of_sources} on {vertices} vertices, {tetrahedra} tetrahedra by {}, {} x {}",
            counted(k, "domain"),
            name(&job.case.inversion.optimizer)?,
            counted(comm.size(), "rank"),
            counted(job.threads, "thread")
        );
    }
    let mut resume = kept.resume();
    let mut levels: Vec<Level> = broadcast_json(comm, 0, Some(kept.levels))?;
    for level in &levels {
        initial = refine::apply(model, level);
    }
    if !levels.is_empty() {
        eikonal = model.eikonal::<T>(job)?;
        settings = self::settings(job, model, measurements)?;
    }
    let (mode, mut spent) = (job.case.inversion.gradient, Spent::default());
    loop {
        let domains = initial.len() - unknowns;
        let moving = agree(comm, moving_sources(&job.case, model))?;
        let mut misfit = EikonalMisfit::new(comm, eikonal, observations, mode, domains)
            .with_sources(moving)
            .after(spent);
        let outcome = descend(
            job,
            &mut misfit,
            &settings,
            &initial,
            resume.take(),
            &mut history,
            stop,
        )?;
        let level = match outcome.stop_reason.is_interruption() {
            true => None,
            false => refine::next(job, model, &mut misfit, &settings, &outcome)?,
        };
        let Some(level) = level else {
            let estimate = finish(job, model, misfit, &settings, outcome, levels)?;
            return Ok(Estimate {
                history,
                ..estimate
            });
        };
        spent = misfit.spent();
        observations = misfit.into_observations();
        let noted = history
            .as_mut()
            .map_or(Ok(()), |history| history.refine(level.clone()));
        agree(comm, noted)?;
        initial = refine::apply(model, &level);
        levels.push(level);
        eikonal = model.eikonal::<T>(job)?;
        settings = self::settings(job, model, measurements)?;
    }
}

/// The choices of the case for the domains as they are. Collective.
fn settings(job: &Job, model: &Model, measurements: u64) -> Result<Settings> {
    let neighbours = agree(job.comm, neighbours(model))?;
    let neighbours = broadcast_json(job.comm, 0, Some(neighbours))?;
    let settings = Settings::new(&job.case.inversion, neighbours, measurements);
    agree(job.comm, settings)
}

/// The minimisations for the domains as they are, kept as they go. Collective.
fn descend<T: Real>(
    job: &mut Job,
    misfit: &mut EikonalMisfit<T>,
    settings: &Settings,
    initial: &[f64],
    resume: Option<Resume>,
    history: &mut Option<History>,
    stop: &StopRequests,
) -> Result<Outcome> {
    let comm = job.comm;
    let iterations = job.case.inversion.stop.iterations as u64;
    let mut progress = Progress::start(&job.console, comm.rank(), "inversion", iterations);
    let (begun, waited) = (Instant::now(), comm.waited());
    let outcome = coordinate(
        comm,
        misfit,
        settings,
        initial,
        resume,
        Callbacks {
            on_iteration: &mut |record, checkpoint| {
                let detail = format!(
                    "iteration {}, misfit {:.4e}",
                    record.iteration, record.misfit
                );
                if comm.rank() == 0 {
                    tracing::debug!("{detail}, gradient {:.3e}", record.gradient_norm);
                }
                progress.set(record.iteration as u64, &detail);
                match history {
                    Some(history) => history.add(record, checkpoint),
                    None => Ok(()),
                }
            },
            should_stop: &mut || stop.reason(&job.report),
        },
    )?;
    drop(progress);
    job.report.add_time("inversion", begun.elapsed());
    job.report.count_exchange(comm, waited);
    let saved = history.as_mut().map_or(Ok(()), History::save);
    agree(comm, saved)?;
    Ok(outcome)
}

/// Times, unseen domains and standard deviations at the result. Collective.
fn finish<T: Real>(
    job: &mut Job,
    model: &Model,
    mut misfit: EikonalMisfit<T>,
    settings: &Settings,
    outcome: Outcome,
    levels: Vec<Level>,
) -> Result<Estimate> {
    let parameters = outcome.best().parameters();
    let solution = misfit.solve(&parameters)?;
    let unseen = misfit.unseen(&solution, &parameters);
    let unseen = unseen
        .into_iter()
        .filter(|k| *k < misfit.domains())
        .collect();
    report_unseen(job, &outcome, unseen);
    let options = &job.case.inversion;
    let uncertainty = match options.uncertainty && !outcome.stop_reason.is_interruption() {
        true => {
            let noise = options.noise();
            Some(uncertainty::of(
                &mut misfit,
                &solution,
                settings,
                &outcome,
                noise,
            )?)
        }
        false => None,
    };
    let phi = model.gather_times(job.comm, &solution);
    add_timers(&mut job.report, &misfit.timers);
    count_forward(&mut job.report, &misfit.counters);
    Ok(Estimate {
        curve: settings.curve(&outcome),
        at_end: settings.is_at_end(&outcome),
        levels,
        outcome,
        phi,
        uncertainty,
        history: None,
    })
}

/// Says which domains the measured times do not determine.
fn report_unseen(job: &mut Job, outcome: &Outcome, unseen: Vec<usize>) {
    let best = outcome.best();
    let is_initial = |k: &usize| {
        let (gamma, initial) = (best.gamma[*k], best.initial_gamma[*k]);
        (gamma - initial).abs() <= 1e-12 * initial
    };
    if !unseen.is_empty() {
        let names: Vec<String> = unseen.iter().map(usize::to_string).collect();
        let gamma = if unseen.iter().all(is_initial) {
            "is the initial one"
        } else {
            "follows from other terms or earlier steps"
        };
        tracing::warn!(
            "domains {} do not influence the measured times; their gamma {gamma}",
            names.join(", ")
        );
    }
    job.report.result("unseen_domains", unseen);
}

/// The fingerprint of the case, and what an interrupted run of it left.
fn kept(job: &Job, model: &Model, output: &Output) -> Result<(Fingerprint, Option<Kept>)> {
    let inputs = model.root.as_ref().map_or(&[][..], |root| &root.inputs);
    let now = fingerprint(&job.case, inputs)?;
    let kept = if job.resume {
        history::resume(output, &now)?
    } else {
        None
    };
    match &kept {
        Some(kept) => tracing::info!("resuming after {} iterations", kept.iterations()),
        None if job.resume => tracing::info!("nothing to resume from, starting"),
        None => {}
    }
    Ok((now, kept))
}

/// All that a resumed run must have in common with the first.
fn fingerprint(case: &Case, inputs: &[PathBuf]) -> Result<Fingerprint> {
    let bug = |e: serde_json::Error| Error::Bug(format!("case: {e}"));
    let mut value = serde_json::to_value(case).map_err(bug)?;
    if let Some(sections) = value.as_object_mut() {
        sections.remove("run");
        sections.remove("gradient");
    }
    if let Some(inversion) = value["inversion"].as_object_mut() {
        inversion.remove("stop");
    }
    let inputs = inputs
        .iter()
        .map(|path| Ok((path.clone(), sha256::of_file(path)?)))
        .collect::<Result<_>>()?;
    Ok(Fingerprint {
        case: value,
        inputs,
    })
}

/// The name of a choice as a configuration has it.
fn name(choice: &impl serde::Serialize) -> Result<String> {
    match serde_json::to_value(choice) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        other => Err(Error::Bug(format!("not a name: {other:?}"))),
    }
}

/// Pairs of domains with common faces, on rank 0.
fn neighbours(model: &Model) -> Result<Vec<Neighbours>> {
    let Some((root, domains)) = model
        .root
        .as_ref()
        .and_then(|root| Some((root, root.mesh.domains.as_ref()?)))
    else {
        return Ok(Vec::new());
    };
    Ok(domain_contacts(&root.mesh, domains)?
        .into_iter()
        .map(|c| Neighbours {
            first: c.k as usize,
            second: c.l as usize,
            share: c.share,
        })
        .collect())
}
