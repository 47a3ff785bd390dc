//! Standard deviations of an estimate: from a Jacobian at the result to report and file.

use nalgebra::DMatrix;

use super::super::job::Job;
use crate::eikonal::forward::Solution;
use crate::error::Result;
use crate::inversion::coordinator::{Outcome, Settings};
use crate::inversion::eikonal_misfit::EikonalMisfit;
use crate::inversion::options::Parameter;
use crate::inversion::uncertainty::Uncertainty;
use crate::io::{Centre, ResultFile};
use crate::real::Real;

/// The posterior of log γ and the unknowns of sources at the result, whose solution is at hand; `noise` (ms) as far as it is
/// known. Collective.
pub fn of<T: Real>(
    misfit: &mut EikonalMisfit<T>,
    solution: &Solution<T>,
    settings: &Settings,
    outcome: &Outcome,
    noise: Option<f64>,
) -> Result<Uncertainty> {
    let best = outcome.best();
    let mut normal = misfit.normal_matrix(solution, &best.parameters())?;
    let mut prior = DMatrix::zeros(normal.nrows(), normal.ncols());
    settings
        .penalty_of(best)
        .add_hessian(&best.gamma, &mut prior);
    prior *= 0.5;
    for matrix in [&mut normal, &mut prior] {
        Parameter::Log.chain_hessian(&best.gamma, matrix);
    }
    let measurements = misfit.measurements();
    Ok(Uncertainty::new(
        &normal,
        &prior,
        best.misfit,
        measurements,
        noise,
    ))
}

/// Estimated noise below this share of the last activation time is none of a measurement: the times
/// were computed, and what is left is how exactly the minimum was found.
const NO_NOISE: f64 = 1e-6;

/// Adds standard deviations to the report, and says their range. `phi`: times at the result.
pub fn report(job: &mut Job, posterior: &Uncertainty, gamma: &[f64], phi: &[f64]) {
    let options = &job.case.inversion;
    let from = match (options.noise_ms, options.noise()) {
        (Some(_), _) => "given",
        (None, Some(_)) => "twin",
        (None, None) => "estimated",
    };
    let logs = &posterior.deviations[..gamma.len()];
    let finite = phi.iter().filter(|t| t.is_finite());
    let last = finite.fold(0.0, |m: f64, t| m.max(t.abs()));
    let without_noise = from == "estimated" && posterior.noise < NO_NOISE * last;
    if job.comm.rank() == 0 {
        let finite = || logs.iter().copied().filter(|x| x.is_finite());
        let (least, most) = (
            finite().fold(f64::INFINITY, f64::min),
            finite().fold(0.0, f64::max),
        );
        let (all, known) = (logs.len(), finite().count());
        if posterior.noise.is_nan() {
            tracing::warn!(
                "not more measurements than parameters: give inversion.noise_ms for standard deviations"
            );
        } else if known > 0 {
            tracing::info!(
                "standard deviation of log gamma from {least:.2e} to {most:.2e}, for noise of {:.3e} ms ({from})",
                posterior.noise
            );
        }
        if without_noise {
            tracing::warn!(
                "the times are met to {:.1e} ms: data without noise. These standard deviations say how \
                 exactly the minimum was found, not what noise would do: give inversion.noise_ms",
                posterior.noise
            );
        }
        if known < all && !posterior.noise.is_nan() {
            tracing::warn!(
                "{} of {all} domains are determined neither by the measured times nor by penalties: their standard deviation is infinite",
                all - known
            );
        }
    }
    // JSON has no infinity: null.
    job.report.result("log_gamma_std", logs.to_vec());
    job.report.result("gamma_std", of_gamma(logs, gamma));
    job.report.result("noise_ms", posterior.noise);
    job.report.result("noise_from", from);
    job.report.result("data_without_noise", without_noise);
    job.report
        .result("effective_parameters", posterior.effective_parameters);
}

/// std γ_k = γ_k std(log γ_k), to first order.
fn of_gamma(logs: &[f64], gamma: &[f64]) -> Vec<f64> {
    gamma.iter().zip(logs).map(|(g, s)| g * s).collect()
}

/// Adds standard deviations, covariance and correlation to the result file.
pub fn add(
    file: &mut ResultFile,
    posterior: &Uncertainty,
    gamma: &[f64],
    domains: &[u32],
) -> Result<()> {
    let (all, k) = (&posterior.deviations, gamma.len());
    let (logs, of_sources) = all.split_at(k);
    let deviations = of_gamma(logs, gamma);
    let of_tetrahedra: Vec<f64> = domains.iter().map(|d| deviations[*d as usize]).collect();
    file.field(
        "/fields/gamma_std",
        Centre::Tetrahedra,
        1,
        &of_tetrahedra,
        "1",
    )?;
    let group = "/inversion/uncertainty";
    for (name, shape, values) in [
        ("gamma_std", &[k][..], &deviations[..]),
        ("log_gamma_std", &[k], logs),
        (
            "covariance",
            &[all.len(); 2],
            posterior.covariance.as_slice(),
        ),
        (
            "correlation",
            &[all.len(); 2],
            posterior.correlation().as_slice(),
        ),
    ] {
        file.dataset(&format!("{group}/{name}"), shape, values, "1")?;
    }
    if !of_sources.is_empty() {
        let shape = [of_sources.len()];
        file.dataset(
            &format!("{group}/sources_std"),
            &shape,
            of_sources,
            "ms, mm",
        )?;
    }
    file.number(group, "noise_ms", posterior.noise)?;
    file.number(
        group,
        "effective_parameters",
        posterior.effective_parameters,
    )
}
