//! `[fk.restitution]`: S1–S2 restitution of action potential duration and conduction velocity.
//!
//! S1 runs once. Every S2 begins from the state that the last S1 has left after its interval, and
//! every beat has a clock of its own that starts with its stimulus, so that one stimulus at time 0
//! serves all.

mod on_a_cell;
mod on_a_grid;

use std::path::Path;
use std::time::Instant;

use on_a_cell::on_a_cell;
use on_a_grid::Protocol;

use super::build;
use super::prepare::prepare;
use super::protocol_file::{Points, ProtocolFile};
use super::state;
use super::stop::Stop;
use crate::comm::{agree, broadcast_json};
use crate::error::{Error, Result};
use crate::io::ResultFile;
use crate::monodomain::conduction::RestitutionPoint;
use crate::monodomain::options::{
    FkOptions, RestitutionOptions, StimulusKind, StimulusOptions, Timing,
};
use crate::report::Provenance;
use crate::run::job::Job;
use crate::run::output::FK_PROTOCOL;
use crate::run::plan::Plan;
use crate::run::signals::StopRequests;

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

/// The error that S1 is in vain.
fn unanswered(problem: String) -> Error {
    Error::bad_data(
        "fk.restitution",
        problem,
        "give a larger amplitude, a longer duration or a larger region",
    )
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
fn write(path: &Path, points: &[RestitutionPoint], provenance: &Provenance) -> Result<()> {
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
