//! `isochrone gradient`: the misfit at `domains.gamma`, and its derivatives.

use std::time::Instant;

use super::eikonal::{count_forward, plan};
use super::gather::gather;
use super::job::Job;
use super::misfit::observations;
use super::model::{self, Model};
use super::output::Output;
use super::result;
use crate::cli::GradientArgs;
use crate::comm::Communicator;
use crate::eikonal::options::Precision;
use crate::error::Result;
use crate::inversion::eikonal_misfit::{EikonalMisfit, Timers};
use crate::inversion::finite_differences::{self, Scheme};
use crate::inversion::objective::{Objective, Want};
use crate::inversion::options::GradientMode;
use crate::io::{Centre, ResultFile};
use crate::progress::{Console, Progress};
use crate::real::Real;
use crate::report::Report;

/// Runs the command. Collective.
pub fn run(args: &GradientArgs, comm: &dyn Communicator, console: Console) -> Result<()> {
    let mut job = Job::begin("gradient", &args.as_run(), comm, console, |case| {
        case.mesh()?;
        case.sources()?;
        case.inversion()?;
        Ok(())
    })?;
    if job.dry_run {
        let directions = job.case.domains.known_count().unwrap_or(1) as u64;
        return plan(
            &mut job,
            &["gradient.h5", "gradient.xdmf"],
            None,
            directions,
        );
    }
    let output = job.open_output(None)?;
    let mut model = model::build(&mut job)?;
    let gradient = match job.case.eikonal.precision {
        Precision::F32 => compute::<f32>(&mut job, &mut model, &output)?,
        Precision::F64 => compute::<f64>(&mut job, &mut model, &output)?,
    };
    write(&mut job, &output, &model, &gradient)?;
    job.finish(&output)
}

/// What was asked for; arrays over the mesh on rank 0 only, in the file's numbering.
struct Gradient {
    mode: GradientMode,
    misfit: f64,
    gamma: Vec<f64>,
    phi: Vec<f64>,
    jacobian: Option<Vec<f64>>,
    tensor: Option<Vec<f64>>,
    check: Option<Check>,
}

/// Errors of finite differences against the adjoint.
struct Check {
    /// Steps, relative to γ.
    h: Vec<f64>,
    /// Largest error of one-sided and of central differences, relative to the largest component.
    error: Vec<[f64; 2]>,
}

fn compute<T: Real>(job: &mut Job, model: &mut Model, output: &Output) -> Result<Gradient> {
    let comm = job.comm;
    let eikonal = model.eikonal::<T>(job)?;
    let observations = observations(job, model, &eikonal)?;
    job.begin_output(output, model)?;
    let mode = job.case.inversion.gradient;
    let (gamma, k) = (model.gamma.clone(), model.gamma.len());
    let mut misfit = EikonalMisfit::new(comm, eikonal, observations, mode, k);
    let options = job.case.gradient;
    let owned = model.local.owned;
    let numbers = &model.local.global_vertices[..owned];
    let n = model.size[0];

    let state = misfit.adjoint_state(&gamma)?;
    let adjoint = misfit.gamma_gradient(&state.solution, &gamma, &state.phi_bar);
    // Time and work of one forward solution and its gradient; what is beside them is not counted.
    let timers = misfit.timers;
    add_timers(&mut job.report, &timers);
    count_forward(&mut job.report, &misfit.counters);
    if timers.solve.as_secs_f64() > 0.0 {
        let factor = 1.0 + timers.adjoint.as_secs_f64() / timers.solve.as_secs_f64();
        job.report.result("factor", factor);
    }
    let by_jacobian = matches!(mode, GradientMode::Tangent | GradientMode::AllActive);
    let jacobian = if options.jacobian || by_jacobian {
        Some(misfit.jacobian(&state.solution, &gamma)?)
    } else {
        None
    };
    let chosen = match (mode, &jacobian) {
        (GradientMode::FiniteDifferences, _) => {
            let mut f = |gamma: &[f64]| Ok(misfit.evaluate(gamma, Want::Misfit)?.misfit);
            let (scheme, begun) = (Scheme::Central, Instant::now());
            let step = scheme.best_step();
            let gradient =
                finite_differences::gradient(&mut f, &gamma, state.misfit, scheme, step)?;
            job.report.add_time("finite_differences", begun.elapsed());
            gradient
        }
        (_, Some(jacobian)) if by_jacobian => misfit.gradient_of(&state.misfit_bar, jacobian),
        _ => adjoint.clone(),
    };
    let tangent = misfit.timers.tangent;
    job.report.add_time("tangent", tangent);
    let check = if options.check {
        let mut f = |gamma: &[f64]| Ok(misfit.evaluate(gamma, Want::Misfit)?.misfit);
        let begun = Instant::now();
        let checked = check(job, &mut f, &gamma, state.misfit, &adjoint)?;
        job.report.add_time("check", begun.elapsed());
        Some(checked)
    } else {
        None
    };
    let tensor = options.tensor.then(|| {
        let local = &model.local;
        let sensitivity = misfit.eikonal.metric_sensitivity(
            local,
            &state.solution,
            &state.downwind,
            &gamma,
            &state.phi_bar,
        );
        let (mut tetrahedra, mut values) = (Vec::new(), Vec::new());
        for (t, s) in local.global_tetrahedra.iter().zip(sensitivity) {
            if let Some(s) = s {
                tetrahedra.push(*t);
                values.extend(s);
            }
        }
        let mut whole = gather(comm, model.size[1], 6, &tetrahedra, &values);
        if let Some(root) = &model.root {
            // df/dM = −N (df/dN) N
            let (rows, _) = whole.as_chunks_mut::<6>();
            for (t, row) in rows.iter_mut().enumerate() {
                *row = root.metric(t).minus_n_s_n(row);
            }
        }
        whole
    });
    Ok(Gradient {
        mode,
        misfit: state.misfit,
        gamma: chosen,
        phi: model.gather_times(comm, &state.solution),
        jacobian: jacobian
            .filter(|_| options.jacobian)
            .map(|j| gather(comm, n, k, numbers, &j[..owned * k])),
        tensor,
        check,
    })
}

/// Adds the time of evaluations to the report.
pub fn add_timers(report: &mut Report, timers: &Timers) {
    report.add_time("solve", timers.solve);
    report.add_time("adjoint", timers.adjoint);
    report.add_time("tangent", timers.tangent);
    report.add_time("misfit", timers.misfit);
}

/// The V-shaped curves: errors of one-sided and central differences for h = 1e-1 to 1e-12.
fn check(
    job: &Job,
    misfit: &mut dyn FnMut(&[f64]) -> Result<f64>,
    gamma: &[f64],
    at: f64,
    exact: &[f64],
) -> Result<Check> {
    let largest = exact.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
    let mut progress = Progress::start(&job.console, job.comm.rank(), "check", 24);
    let (mut h, mut error) = (Vec::new(), Vec::new());
    for exponent in 1..=12 {
        let step = 10f64.powi(-exponent);
        let mut row = [0.0; 2];
        for (i, scheme) in [Scheme::OneSided, Scheme::Central].into_iter().enumerate() {
            let differences = finite_differences::gradient(misfit, gamma, at, scheme, step)?;
            row[i] = differences
                .iter()
                .zip(exact)
                .fold(0.0, |m, (d, e)| f64::max(m, (d - e).abs()))
                / largest;
            progress.set(2 * (exponent as u64 - 1) + i as u64 + 1, "");
        }
        h.push(step);
        error.push(row);
    }
    Ok(Check { h, error })
}

fn write(job: &mut Job, output: &Output, model: &Model, gradient: &Gradient) -> Result<()> {
    job.report.result("misfit", gradient.misfit);
    job.report.result("gradient", gradient.gamma.clone());
    if job.comm.rank() == 0 {
        let norm = gradient.gamma.iter().map(|g| g * g).sum::<f64>().sqrt();
        tracing::info!(
            "misfit {:.6e} ms^2, norm of its gradient {norm:.6e} ms^2",
            gradient.misfit
        );
        tracing::debug!("gradient {:?}", gradient.gamma);
    }
    if let Some(check) = gradient.check.as_ref().filter(|_| !job.console.quiet) {
        let mut table = String::from(
            "relative error of finite differences\n       h    one-sided      central\n",
        );
        for (h, [one_sided, central]) in check.h.iter().zip(&check.error) {
            table += &format!("{h:8.0e} {one_sided:12.3e} {central:12.3e}\n");
        }
        super::print_on_root(job.comm, &table)?;
    }
    result::write(
        job,
        output,
        model,
        "gradient.h5",
        &gradient.phi,
        |file, _| add(file, gradient),
    )
}

/// Adds the derivatives to the result file.
fn add(file: &mut ResultFile, gradient: &Gradient) -> Result<()> {
    let k = gradient.gamma.len();
    file.dataset("/gradient/gamma", &[k], &gradient.gamma, "ms^2")?;
    file.number("/gradient/gamma", "misfit", gradient.misfit)?;
    let mode = match gradient.mode {
        GradientMode::Adjoint => "adjoint",
        GradientMode::Tangent => "tangent",
        GradientMode::FiniteDifferences => "finite-differences",
        GradientMode::AllActive => "all-active",
    };
    file.text("/gradient/gamma", "mode", mode)?;
    if let Some(jacobian) = &gradient.jacobian {
        let n = gradient.phi.len();
        file.dataset("/gradient/jacobian", &[n, k], jacobian, "ms")?;
    }
    if let Some(tensor) = &gradient.tensor {
        file.field(
            "/gradient/tensor",
            Centre::Tetrahedra,
            6,
            tensor,
            "ms^4/mm^2",
        )?;
    }
    if let Some(check) = &gradient.check {
        file.dataset("/gradient/check/h", &[check.h.len()], &check.h, "1")?;
        let error = check.error.as_flattened();
        file.dataset("/gradient/check/error", &[check.h.len(), 2], error, "1")?;
        file.text("/gradient/check/error", "columns", "one-sided, central")?;
    }
    Ok(())
}
