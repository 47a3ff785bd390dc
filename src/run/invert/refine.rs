//! Refinement of domains between two minimisations.

use nalgebra::DMatrix;

use super::super::gradient::metric_sensitivity;
use super::super::history::Level;
use super::super::job::Job;
use super::super::misfit::moving_sources;
use super::super::model::Model;
use crate::comm::{agree, broadcast_json};
use crate::error::{Error, Result};
use crate::inversion::coordinator::{Outcome, Settings};
use crate::inversion::eikonal_misfit::EikonalMisfit;
use crate::inversion::objective::{Objective, Want};
use crate::inversion::options::Parameter;
use crate::inversion::refinement::{Split, choose, cuts, divide};
use crate::partition::local_mesh::LocalMesh;
use crate::real::Real;

/// Decrease of the misfit, in σ², that a split must promise: another parameter lowers that of pure
/// noise by 1 ± √2.
const LEAST_IN_NOISE: f64 = 4.0;

/// The same as a share of the misfit, where that is more.
const LEAST_SHARE: f64 = 1e-3;

/// The splits that lower the misfit of the outcome most; none where it is that of the noise, where
/// there are as many domains as asked for, or where no split pays. Collective.
pub fn next<T: Real>(
    job: &mut Job,
    model: &Model,
    misfit: &mut EikonalMisfit<T>,
    settings: &Settings,
    outcome: &Outcome,
) -> Result<Option<Level>> {
    let comm = job.comm;
    let (best, noise) = (outcome.best(), job.case.inversion.noise());
    let (k, most) = (best.gamma.len(), job.case.inversion.refinement.domains);
    if k >= most {
        return Ok(None);
    }
    let of_noise = job.case.inversion.misfit_of_noise(misfit.measurements());
    if of_noise.is_some_and(|f| best.misfit <= f) {
        if comm.rank() == 0 {
            tracing::info!("{k} domains explain the times to within their noise");
        }
        return Ok(None);
    }
    let proposed = propose(job, model, misfit, &best.parameters())?;
    let chosen = match proposed.is_empty() {
        true => Vec::new(),
        false => {
            let (gradient, hessian) = divided(job, model, misfit, settings, outcome, &proposed)?;
            let in_noise = noise.map_or(0.0, |noise| LEAST_IN_NOISE * noise * noise);
            let least = f64::max(in_noise, LEAST_SHARE * best.misfit);
            choose(&proposed, k, &gradient, &hessian, least, most - k)
        }
    };
    // The same on all ranks: of numbers that are.
    if comm.rank() == 0 {
        match chosen.len() {
            0 => tracing::info!("no split of the {k} domains promises a better misfit"),
            n => tracing::info!(
                "misfit {:.4e} ms^2 with {k} domains: splitting {n} of them",
                best.misfit
            ),
        }
    }
    Ok((!chosen.is_empty()).then(|| Level::new(outcome, chosen)))
}

/// A cut of each domain by the sensitivities of its tetrahedra. Collective.
fn propose<T: Real>(
    job: &Job,
    model: &Model,
    misfit: &mut EikonalMisfit<T>,
    parameters: &[f64],
) -> Result<Vec<Split>> {
    let comm = job.comm;
    let k = misfit.domains();
    let state = misfit.adjoint_state(parameters)?;
    let by_metric = metric_sensitivity(comm, model, misfit, &state, &parameters[..k]);
    let proposed = model.root.as_ref().map(|root| {
        // df/dlog γ = −df/dN : N
        let (rows, _) = by_metric.as_chunks::<6>();
        let rows = rows.iter().enumerate();
        let sensitivity: Vec<f64> = rows.map(|(t, s)| -root.metric(t).contract(s)).collect();
        let domains = root.mesh.domains.as_deref().unwrap_or_default();
        cuts(&root.mesh, domains, k, &sensitivity)
    });
    broadcast_json(comm, 0, proposed)
}

/// dF/dθ and the Gauss–Newton Hessian at the outcome were all proposed cuts made, θ = log γ and the
/// unknowns of sources. The penalties are those of the domains as they are. Collective.
fn divided<T: Real>(
    job: &mut Job,
    model: &Model,
    misfit: &mut EikonalMisfit<T>,
    settings: &Settings,
    outcome: &Outcome,
    proposed: &[Split],
) -> Result<(Vec<f64>, DMatrix<f64>)> {
    let best = outcome.best();
    let k = best.gamma.len();
    let mut local = model.local.clone();
    divide_local(&mut local, k, proposed);
    let eikonal = model.eikonal_on::<T>(job, &local)?;
    drop(local);
    let mut moving = agree(job.comm, moving_sources(&job.case, model))?;
    if let Some(root) = moving.as_mut().and_then(|moving| moving.root.as_mut()) {
        let mesh = root.mesh;
        divide(&mut root.domains, k, proposed, |t| mesh.corners(t));
    }
    let gamma = expanded(&best.gamma, proposed);
    let parameters = [&gamma[..], &best.sources].concat();
    let observations = misfit.observations().clone();
    let mode = job.case.inversion.gradient;
    let mut candidate = EikonalMisfit::new(job.comm, eikonal, observations, mode, gamma.len())
        .with_sources(moving)
        .after(misfit.spent());
    let evaluation = candidate.evaluate(&parameters, Want::GaussNewton)?;
    misfit.count(candidate.spent());
    let mut gradient = evaluation.gradient;
    let normal = evaluation.normal_matrix;
    let mut hessian = 2.0 * normal.ok_or_else(|| Error::Bug("no normal matrix".into()))?;
    let penalty = settings.penalty_of(best);
    penalty.add_gradient(&best.gamma, &mut gradient[..k]);
    penalty.add_hessian(&best.gamma, &mut hessian);
    Parameter::Log.chain_gradient(&gamma, &mut gradient);
    Parameter::Log.chain_hessian(&gamma, &mut hessian);
    Ok((gradient, hessian))
}

/// Makes the splits of a level; the parameters that the next one starts from.
pub fn apply(model: &mut Model, level: &Level) -> Vec<f64> {
    let (k, splits) = (level.gamma.len(), &level.splits);
    divide_local(&mut model.local, k, splits);
    if let Some(mesh) = model.root.as_mut().map(|root| &mut root.mesh) {
        let mut domains = mesh.domains.take().unwrap_or_default();
        divide(&mut domains, k, splits, |t| mesh.corners(t));
        mesh.domains = Some(domains);
    }
    [&expanded(&level.gamma, splits)[..], &level.sources].concat()
}

/// γ of the domains once the splits are made.
fn expanded(gamma: &[f64], splits: &[Split]) -> Vec<f64> {
    let new = splits.iter().map(|split| gamma[split.domain as usize]);
    gamma.iter().copied().chain(new).collect()
}

/// The same decisions as on the whole mesh: coordinates are copies, corners in the file's order.
fn divide_local(local: &mut LocalMesh, count: usize, splits: &[Split]) {
    let LocalMesh {
        domains,
        tetrahedra,
        points,
        ..
    } = local;
    divide(domains, count, splits, |t| {
        tetrahedra[t].map(|v| points[v as usize])
    });
}
