//! What an inversion leaves: report, log and `inversion.h5`.

use serde_json::{Value, json};

use super::super::eikonal::summarise;
use super::super::job::Job;
use super::super::model::{Model, Root};
use super::super::output::Output;
use super::super::result;
use super::Estimate;
use super::uncertainty;
use crate::config::Unknown;
use crate::error::Result;
use crate::inversion::coordinator::Outcome;
use crate::inversion::optimizer::{IterationRecord, StopReason};
use crate::inversion::options::GAMMA_RANGE;
use crate::inversion::schedule::CurvePoint;
use crate::io::{Centre, ResultFile};

/// Reports the estimate and writes `inversion.h5`. Collective.
pub fn write(job: &mut Job, output: &Output, model: &Model, estimate: &Estimate) -> Result<()> {
    let (outcome, phi) = (&estimate.outcome, &estimate.phi);
    let best = outcome.best();
    let report = &mut job.report;
    report.result("stop_reason", outcome.stop_reason.name());
    report.result("iterations", best.iterations);
    report.result("misfit", best.misfit);
    report.result("objective", best.objective);
    report.result("gradient_norm", best.gradient_norm);
    report.result("gamma", best.gamma.clone());
    let converged = came_to_a_minimum(outcome);
    report.result("converged", converged);
    let at_limit = at_limit(&best.gamma);
    let domains: Vec<usize> = at_limit.iter().map(|(k, _)| *k).collect();
    report.result("domains_at_limit", domains);
    if estimate.curve.is_none() && outcome.runs.len() > 1 {
        let runs: Vec<_> = outcome
            .runs
            .iter()
            .map(|run| serde_json::json!({ "start": run.start, "misfit": run.misfit, "gamma": run.gamma }))
            .collect();
        report.result("starts", runs);
        report.result("best_start", best.start);
    }
    let mut against_twin = String::new();
    let twin = job.case.inversion.twin.as_ref();
    if let Some(twin) =
        twin.filter(|twin| twin.scar.is_none() && twin.gamma.len() == best.gamma.len())
    {
        let pairs = || best.gamma.iter().zip(&twin.gamma);
        let error = pairs().fold(0.0, |m, (g, t)| f64::max(m, (g - t).abs()));
        let log_error = pairs().fold(0.0, |m, (g, t)| f64::max(m, (g / t).ln().abs()));
        report.result("largest_gamma_error", error);
        report.result("largest_log_gamma_error", log_error);
        against_twin = format!(
            "against the twin: largest error of gamma {error:.2e}, of log gamma {log_error:.2e}"
        );
    }
    let before = estimate.levels.iter().map(|level| level.counters);
    let counters = before.fold(outcome.counters(), std::ops::Add::add);
    report.count_all_parts("evaluations", counters.evaluations);
    report.count_all_parts("gradient_evaluations", counters.gradient_evaluations);
    report.count_all_parts("jacobian_evaluations", counters.jacobian_evaluations);
    if job.comm.rank() == 0 {
        tracing::info!(
            "stopped by {} after {} iterations and {} evaluations, misfit {:.4e} ms^2",
            outcome.stop_reason.name(),
            best.iterations,
            counters.evaluations,
            best.misfit
        );
        for (k, limit) in &at_limit {
            tracing::warn!(
                "domain {k}: gamma is at the limit {limit:e}: no gamma in the program's range explains the \
                 measured times; check them and their unit, and conduction.speed"
            );
        }
        if outcome.stop_reason == StopReason::Stalled && converged {
            tracing::info!(
                "stalled at a minimum: f cannot be told from its rounding any more, as is usual with noisy times"
            );
        }
        let least = best.gamma.iter().copied().fold(f64::INFINITY, f64::min);
        let most = best.gamma.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        tracing::info!("gamma from {} to {}", readable(least), readable(most));
        tracing::debug!("gamma {:?}", best.gamma);
        if !against_twin.is_empty() {
            tracing::info!("{against_twin}");
        }
        summarise(&mut job.report, model, phi);
    }
    if let Some(curve) = &estimate.curve {
        regularisation(job, estimate, curve);
    }
    if !estimate.levels.is_empty() {
        let levels = levels(estimate);
        let levels =
            levels.map(|(domains, misfit)| json!({ "domains": domains, "misfit": misfit }));
        job.report
            .result("refinement", levels.collect::<Vec<Value>>());
    }
    sources(job, estimate)?;
    if let Some(posterior) = &estimate.uncertainty {
        uncertainty::report(job, posterior, &best.gamma, phi);
    }
    result::write(job, output, model, "inversion.h5", phi, |file, root| {
        add(file, root, estimate)
    })
}

/// Four places, or four digits of what would be nothing or very long so; no negative zero.
fn readable(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        a if (1e-3..1e6).contains(&a) => format!("{x:.4}"),
        _ => format!("{x:.3e}"),
    }
}

/// A share of the first gradient: one this small counts as none, where the objective ends at nothing
/// but rounding, too.
const SMALL_SHARE: f64 = 1e-6;

/// Whether the best minimisation ended at a minimum, for whatever reason it ended.
fn came_to_a_minimum(outcome: &Outcome) -> bool {
    let best = outcome.best();
    let is_first = |record: &&IterationRecord| record.start == best.start && record.iteration == 0;
    let first = outcome.history.iter().rfind(is_first);
    let fell = first.is_some_and(|first| best.gradient_norm <= SMALL_SHARE * first.gradient_norm);
    best.converged() || fell
}

/// Domains whose γ is within a hundredth of an end of [`GAMMA_RANGE`], and that end.
fn at_limit(gamma: &[f64]) -> Vec<(usize, f64)> {
    let (least, most) = (*GAMMA_RANGE.start(), *GAMMA_RANGE.end());
    let end = |g: f64| match g {
        g if g <= 1.01 * least => Some(least),
        g if g >= 0.99 * most => Some(most),
        _ => None,
    };
    let domains = gamma.iter().enumerate();
    domains.filter_map(|(k, g)| Some((k, end(*g)?))).collect()
}

/// Number of domains and misfit of each level of refinement, the last included.
fn levels(estimate: &Estimate) -> impl Iterator<Item = (usize, f64)> {
    let best = estimate.outcome.best();
    let before = estimate.levels.iter();
    let before = before.map(|level| (level.gamma.len(), level.misfit));
    before.chain([(best.gamma.len(), best.misfit)])
}

/// Reports onsets and places that were found, with their standard deviations.
fn sources(job: &mut Job, estimate: &Estimate) -> Result<()> {
    let best = estimate.outcome.best();
    let posterior = estimate.uncertainty.as_ref();
    let deviation = |i: usize| posterior.map(|p| p.deviations[best.gamma.len() + i]);
    let mut found = Vec::new();
    let mut next = 0;
    for (i, source) in job.case.sources()?.iter().enumerate() {
        if source.unknowns() == 0 {
            continue;
        }
        let mut entry = json!({ "source": i });
        let mut words = format!("source {i}:");
        if source.estimates(Unknown::Time) {
            entry["time_ms"] = json!(best.sources[next]);
            entry["time_std_ms"] = json!(deviation(next));
            words += &format!(" starts at {} ms", readable(best.sources[next]));
            next += 1;
        }
        if source.estimates(Unknown::Point) {
            let point = &best.sources[next..next + 3];
            entry["point_mm"] = json!(point);
            let deviations: Vec<_> = (next..next + 3).map(deviation).collect();
            entry["point_std_mm"] = json!(deviations);
            let [x, y, z] = [0, 1, 2].map(|i| readable(point[i]));
            words += &format!(" at ({x}, {y}, {z}) mm");
            next += 3;
        }
        if job.comm.rank() == 0 {
            tracing::info!("{words}");
        }
        found.push(entry);
    }
    if !found.is_empty() {
        job.report.result("sources", found);
    }
    Ok(())
}

/// Reports which weight of the penalties was chosen, and from what.
fn regularisation(job: &mut Job, estimate: &Estimate, curve: &[CurvePoint]) {
    let options = &job.case.inversion.regularisation;
    let (best, rule) = (estimate.outcome.best(), options.choose);
    let [tikhonov, neighbour_jump] =
        [options.tikhonov, options.neighbour_jump].map(|w| w * best.factor);
    if job.comm.rank() == 0 {
        tracing::info!(
            "penalties times {:.3e} (tikhonov {tikhonov:.3e}, neighbour_jump {neighbour_jump:.3e} ms^2) by {} of {} weights",
            best.factor,
            rule.name(),
            curve.len()
        );
        warn_of_open_ends(estimate, curve);
        if estimate.at_end {
            tracing::warn!(
                "the chosen weight is at the end of what the sweep shows: change inversion.regularisation.sweep, or the curve has no corner, or the model does not explain the times to within their noise"
            );
        }
    }
    let points: Vec<Value> = curve
        .iter()
        .zip(&estimate.outcome.runs)
        .map(|(p, run)| {
            json!({ "factor": p.factor, "misfit": p.misfit, "penalty": p.penalty,
                    "curvature": p.curvature, "gamma": run.gamma,
                    "stop_reason": run.stop_reason.name(), "converged": p.converged })
        })
        .collect();
    job.report.result(
        "regularisation",
        json!({ "rule": rule.name(), "factor": best.factor, "tikhonov": tikhonov,
                "neighbour_jump": neighbour_jump, "curve": points }),
    );
}

/// Says which minimisations of a sweep ended before their minimum.
fn warn_of_open_ends(estimate: &Estimate, curve: &[CurvePoint]) {
    let runs = curve.iter().zip(&estimate.outcome.runs);
    let open: Vec<String> = runs
        .filter(|(point, _)| !point.converged)
        .map(|(point, run)| format!("{:.2e} ({})", point.factor, run.stop_reason.name()))
        .collect();
    if !open.is_empty() {
        tracing::warn!(
            "inversion.regularisation: {} of {} minimisations did not converge: those of the weights \
             times {}; their points are left out of the L-curve where three others remain. Allow more \
             inversion.stop.iterations, or choose another inversion.optimizer",
            open.len(),
            curve.len(),
            open.join(", ")
        );
    }
}

/// Adds gamma and the history of the best run to the result file.
fn add(file: &mut ResultFile, root: &Root, estimate: &Estimate) -> Result<()> {
    let outcome = &estimate.outcome;
    let best = outcome.best();
    let domains = root.mesh.domains.as_deref().unwrap_or_default();
    let gamma: Vec<f64> = domains.iter().map(|k| best.gamma[*k as usize]).collect();
    file.field("/fields/gamma", Centre::Tetrahedra, 1, &gamma, "1")?;

    let records: Vec<_> = outcome.best_history().collect();
    let steps = records.iter().map(|r| r.gamma.clone()).collect();
    file.history("gamma", domains, steps);
    let column =
        |of: fn(&IterationRecord) -> f64| records.iter().map(|r| of(r)).collect::<Vec<f64>>();
    let rows = records.len();
    let gamma: Vec<f64> = records
        .iter()
        .flat_map(|r| r.gamma.iter().copied())
        .collect();
    file.dataset("/inversion/gamma", &[rows, best.gamma.len()], &gamma, "1")?;
    if !best.sources.is_empty() {
        let sources: Vec<f64> = records.iter().flat_map(|r| r.sources.clone()).collect();
        file.dataset(
            "/inversion/sources",
            &[rows, best.sources.len()],
            &sources,
            "",
        )?;
    }
    if !estimate.levels.is_empty() {
        let (domains, misfit): (Vec<u64>, Vec<f64>) =
            levels(estimate).map(|(k, f)| (k as u64, f)).unzip();
        file.dataset(
            "/inversion/refinement/domains",
            &[domains.len()],
            &domains,
            "1",
        )?;
        file.dataset(
            "/inversion/refinement/misfit",
            &[misfit.len()],
            &misfit,
            "ms^2",
        )?;
    }
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
    if let Some(curve) = &estimate.curve {
        let column = |of: fn(&CurvePoint) -> f64| curve.iter().map(of).collect::<Vec<f64>>();
        let shape = [curve.len()];
        file.dataset(
            "/inversion/curve/factor",
            &shape,
            &column(|p| p.factor),
            "1",
        )?;
        file.dataset(
            "/inversion/curve/misfit",
            &shape,
            &column(|p| p.misfit),
            "ms^2",
        )?;
        file.dataset(
            "/inversion/curve/penalty",
            &shape,
            &column(|p| p.penalty),
            "ms^2",
        )?;
        let curvature = column(|p| p.curvature);
        file.dataset("/inversion/curve/curvature", &shape, &curvature, "1")?;
        let converged: Vec<u8> = curve.iter().map(|p| u8::from(p.converged)).collect();
        file.dataset("/inversion/curve/converged", &shape, &converged, "1")?;
        file.number("/inversion/curve", "chosen", best.factor)?;
    }
    if let Some(posterior) = &estimate.uncertainty {
        uncertainty::add(file, posterior, &best.gamma, domains)?;
    }
    file.text("/inversion", "stop_reason", outcome.stop_reason.name())
}
