//! `isochrone invert`: γ of every domain from measured activation times.

use std::path::PathBuf;
use std::time::Instant;

use super::eikonal::{count_forward, plan, summarise};
use super::gradient::add_timers;
use super::history::{self, HISTORY, History};
use super::job::Job;
use super::misfit::observations;
use super::model::{self, Model, Root, expand_gamma};
use super::output::{CHECKPOINT, Output};
use super::result;
use super::signals::StopRequests;
use crate::cli::RunArgs;
use crate::comm::{Communicator, agree};
use crate::config::Case;
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::inversion::coordinator::{Callbacks, Outcome, Resume, Settings, coordinate};
use crate::inversion::eikonal_misfit::EikonalMisfit;
use crate::inversion::regularisation::Neighbours;
use crate::io::{Centre, Fingerprint, ResultFile};
use crate::partition::domain_contacts;
use crate::progress::{Console, Progress};
use crate::real::Real;
use crate::sha256;

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
    let (outcome, phi) = match job.case.eikonal.precision {
        Precision::F32 => minimise::<f32>(&mut job, &mut model, &output, &stop)?,
        Precision::F64 => minimise::<f64>(&mut job, &mut model, &output, &stop)?,
    };
    write(&mut job, &output, &model, &outcome, &phi)?;
    job.finish(&output)?;
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
) -> Result<(Outcome, Vec<f64>)> {
    let comm = job.comm;
    let eikonal = model.eikonal::<T>(job)?;
    let k = model.gamma.len();
    let initial = match &job.case.inversion.initial_gamma {
        Some(gamma) => expand_gamma("inversion.initial_gamma", gamma, k, &job.case),
        None => Ok(model.gamma.clone()),
    };
    let initial = agree(comm, initial)?;
    let observations = observations(job, model, &eikonal)?;
    let neighbours = agree(comm, neighbours(model))?;
    let options = job.case.inversion.clone();
    let settings = agree(comm, Settings::new(&options, neighbours))?;
    let mut misfit = EikonalMisfit::new(comm, &eikonal, observations, options.gradient, k);

    let kept = if comm.rank() == 0 {
        kept(job, model, output).map(Some)
    } else {
        Ok(None)
    };
    let kept = agree(comm, kept)?;
    job.begin_output(output, model)?;
    let started = kept.map(|(case, resume)| {
        let history = History::start(output, case, resume.as_ref())?;
        Ok((history, resume))
    });
    let (mut history, resume) = match agree(comm, started.transpose())? {
        Some((history, resume)) => (Some(history), resume),
        None => (None, None),
    };
    if comm.rank() == 0 {
        let [vertices, tetrahedra] = model.size;
        tracing::info!(
            "inverting for {k} domains on {vertices} vertices, {tetrahedra} tetrahedra by {}, {} ranks x {} threads",
            name(&options.optimizer)?,
            comm.size(),
            job.threads
        );
    }
    let iterations = options.stop.iterations as u64;
    let mut progress = Progress::start(&job.console, comm.rank(), "inversion", iterations);
    let (begun, waited) = (Instant::now(), comm.waited());
    let outcome = coordinate(
        comm,
        &mut misfit,
        &settings,
        &initial,
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
                match &mut history {
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

    let solution = misfit.solve(&outcome.best().gamma)?;
    let unseen = misfit.unseen_domains(&solution, &outcome.best().gamma);
    report_unseen(job, &outcome, unseen);
    let phi = model.gather_times(comm, &solution);
    add_timers(&mut job.report, &misfit.timers);
    count_forward(&mut job.report, &misfit.counters);
    Ok((outcome, phi))
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
fn kept(job: &Job, model: &Model, output: &Output) -> Result<(Fingerprint, Option<Resume>)> {
    let inputs = model.root.as_ref().map_or(&[][..], |root| &root.inputs);
    let now = fingerprint(&job.case, inputs)?;
    let resume = if job.resume {
        history::resume(output, &now)?
    } else {
        None
    };
    match &resume {
        Some(r) => tracing::info!(
            "resuming after {} iterations",
            r.history.len().saturating_sub(1)
        ),
        None if job.resume => tracing::info!("nothing to resume from, starting"),
        None => {}
    }
    Ok((now, resume))
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
    let text = serde_json::to_vec(&value).map_err(bug)?;
    let inputs = inputs
        .iter()
        .map(|path| Ok((path.clone(), sha256::of_file(path)?)))
        .collect::<Result<_>>()?;
    Ok(Fingerprint {
        case: sha256::of_bytes(&text).into(),
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

fn write(
    job: &mut Job,
    output: &Output,
    model: &Model,
    outcome: &Outcome,
    phi: &[f64],
) -> Result<()> {
    let best = outcome.best();
    let report = &mut job.report;
    report.result("stop_reason", outcome.stop_reason.name());
    report.result("iterations", best.iterations);
    report.result("misfit", best.misfit);
    report.result("objective", best.objective);
    report.result("gradient_norm", best.gradient_norm);
    report.result("gamma", best.gamma.clone());
    if outcome.runs.len() > 1 {
        let runs: Vec<_> = outcome
            .runs
            .iter()
            .map(|run| serde_json::json!({ "start": run.start, "misfit": run.misfit, "gamma": run.gamma }))
            .collect();
        report.result("starts", runs);
        report.result("best_start", best.start);
    }
    let mut against_twin = String::new();
    if let Some(twin) = &job.case.inversion.twin {
        let pairs = || best.gamma.iter().zip(&twin.gamma);
        let error = pairs().fold(0.0, |m, (g, t)| f64::max(m, (g - t).abs()));
        let log_error = pairs().fold(0.0, |m, (g, t)| f64::max(m, (g / t).ln().abs()));
        report.result("largest_gamma_error", error);
        report.result("largest_log_gamma_error", log_error);
        against_twin = format!(
            "against the twin: largest error of gamma {error:.2e}, of log gamma {log_error:.2e}"
        );
    }
    let counters = outcome.counters();
    report.count_once("evaluations", counters.evaluations);
    report.count_once("gradient_evaluations", counters.gradient_evaluations);
    report.count_once("jacobian_evaluations", counters.jacobian_evaluations);
    if job.comm.rank() == 0 {
        tracing::info!(
            "stopped by {} after {} iterations and {} evaluations, misfit {:.4e} ms^2",
            outcome.stop_reason.name(),
            best.iterations,
            counters.evaluations,
            best.misfit
        );
        let least = best.gamma.iter().copied().fold(f64::INFINITY, f64::min);
        let most = best.gamma.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        tracing::info!("gamma from {least:.4} to {most:.4}");
        tracing::debug!("gamma {:?}", best.gamma);
        if !against_twin.is_empty() {
            tracing::info!("{against_twin}");
        }
        summarise(&mut job.report, model, phi);
    }
    result::write(job, output, model, "inversion.h5", phi, |file, root| {
        add(file, root, outcome)
    })
}

/// Adds gamma and the history of the best run to the result file.
fn add(file: &mut ResultFile, root: &Root, outcome: &Outcome) -> Result<()> {
    let best = outcome.best();
    let domains = root.mesh.domains.as_deref().unwrap_or_default();
    let gamma: Vec<f64> = domains.iter().map(|k| best.gamma[*k as usize]).collect();
    file.field("/fields/gamma", Centre::Tetrahedra, 1, &gamma, "1")?;

    let records: Vec<_> = outcome.best_history().collect();
    let column = |of: fn(&crate::inversion::optimizer::IterationRecord) -> f64| {
        records.iter().map(|r| of(r)).collect::<Vec<f64>>()
    };
    let rows = records.len();
    let gamma: Vec<f64> = records
        .iter()
        .flat_map(|r| r.gamma.iter().copied())
        .collect();
    file.dataset("/inversion/gamma", &[rows, best.gamma.len()], &gamma, "1")?;
    file.dataset("/inversion/misfit", &[rows], &column(|r| r.misfit), "ms^2")?;
    file.dataset(
        "/inversion/objective",
        &[rows],
        &column(|r| r.objective),
        "ms^2",
    )?;
    file.dataset(
        "/inversion/gradient_norm",
        &[rows],
        &column(|r| r.gradient_norm),
        "ms^2",
    )?;
    file.dataset("/inversion/seconds", &[rows], &column(|r| r.seconds), "s")?;
    let evaluations: Vec<u64> = records.iter().map(|r| r.evaluations).collect();
    file.dataset("/inversion/evaluations", &[rows], &evaluations, "1")?;
    file.text("/inversion", "stop_reason", outcome.stop_reason.name())
}
