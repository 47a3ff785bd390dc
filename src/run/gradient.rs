//! `isochrone gradient`: the misfit at `domains.gamma`, and its derivatives.

use std::time::Instant;

use super::eikonal::{count_forward, plan};
use super::gather::gather;
use super::job::Job;
use super::misfit::{configured_unknowns, moving_sources, observations};
use super::model::{self, Model};
use super::output::Output;
use super::result;
use super::signals::StopRequests;
use crate::cli::GradientArgs;
use crate::comm::{Communicator, agree};
use crate::eikonal::options::Precision;
use crate::error::Result;
use crate::inversion::eikonal_misfit::{AdjointState, EikonalMisfit, Timers};
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
        let files = job.case.output.files("gradient", true);
        return plan(&mut job, &files, None, directions);
    }
    let stop = agree(comm, StopRequests::listen(None))?;
    let output = job.open_output(None)?;
    let mut model = model::build(&mut job)?;
    let gradient = match job.case.eikonal.precision {
        Precision::F32 => compute::<f32>(&mut job, &mut model, &output, &stop)?,
        Precision::F64 => compute::<f64>(&mut job, &mut model, &output, &stop)?,
    };
    stop.heed(comm, &job.report)?;
    write(&mut job, &output, &model, &gradient)?;
    job.finish(&output)
}

/// What was asked for; arrays over the mesh on rank 0 only, in the file's numbering.
struct Gradient {
    mode: GradientMode,
    misfit: f64,
    /// Number of domains.
    domains: usize,
    /// By γ, then by the unknowns of sources.
    parameters: Vec<f64>,
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

fn compute<T: Real>(
    job: &mut Job,
    model: &mut Model,
    output: &Output,
    stop: &StopRequests,
) -> Result<Gradient> {
    let comm = job.comm;
    let mut eikonal = model.eikonal::<T>(job)?;
    let observations = observations(job, model, &mut eikonal)?;
    stop.heed(comm, &job.report)?;
    job.begin_output(output, model)?;
    let mode = job.case.inversion.gradient;
    let (gamma, k) = (model.gamma.clone(), model.gamma.len());
    let moving = agree(comm, moving_sources(&job.case, model))?;
    let misfit = EikonalMisfit::new(comm, eikonal, observations, mode, k);
    let mut misfit = misfit.with_sources(moving);
    let unknowns = configured_unknowns(comm, model);
    let parameters = [&gamma[..], &unknowns].concat();
    let width = parameters.len();
    let options = job.case.gradient;
    let owned = model.local.owned;
    let numbers = &model.local.global_vertices[..owned];
    let n = model.size[0];

    let waited = comm.waited();
    let state = misfit.adjoint_state(&parameters)?;
    let adjoint = misfit.parameter_gradient(&state.solution, &parameters, &state.phi_bar);
    job.report.count_exchange(comm, waited);
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
        Some(misfit.jacobian(&state.solution, &parameters)?)
    } else {
        None
    };
    let chosen = match (mode, &jacobian) {
        (GradientMode::FiniteDifferences, _) => {
            let mut f = |p: &[f64]| {
                stop.heed(comm, &job.report)?;
                Ok(misfit.evaluate(p, Want::Misfit)?.misfit)
            };
            let (scheme, begun) = (Scheme::Central, Instant::now());
            let steps = scheme.steps(&gamma, &unknowns);
            let gradient =
                finite_differences::gradient(&mut f, &parameters, state.misfit, scheme, &steps)?;
            job.report.add_time("finite_differences", begun.elapsed());
            gradient
        }
        (_, Some(jacobian)) if by_jacobian => misfit.gradient_of(&state.misfit_bar, jacobian),
        _ => adjoint.clone(),
    };
    let tangent = misfit.timers.tangent;
    job.report.add_time("tangent", tangent);
    let check = if options.check {
        let mut f = |p: &[f64]| {
            stop.heed(comm, &job.report)?;
            Ok(misfit.evaluate(p, Want::Misfit)?.misfit)
        };
        let begun = Instant::now();
        let sizes = Scheme::sizes(&gamma, &unknowns);
        let checked = check(job, &mut f, &parameters, &sizes, state.misfit, &adjoint)?;
        job.report.add_time("check", begun.elapsed());
        Some(checked)
    } else {
        None
    };
    let tensor = options.tensor.then(|| {
        let mut whole = metric_sensitivity(comm, model, &misfit, &state, &gamma);
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
        domains: k,
        parameters: chosen,
        phi: model.gather_times(comm, &state.solution),
        jacobian: jacobian
            .filter(|_| options.jacobian)
            .map(|j| gather(comm, n, width, numbers, &j[..owned * width])),
        tensor,
        check,
    })
}

/// df/dN of all tetrahedra on rank 0, in the file's numbering, six numbers each. Collective.
pub fn metric_sensitivity<T: Real>(
    comm: &dyn Communicator,
    model: &Model,
    misfit: &EikonalMisfit<T>,
    state: &AdjointState<T>,
    gamma: &[f64],
) -> Vec<f64> {
    let (local, solution) = (&model.local, &state.solution);
    let sensitivity = (misfit.eikonal).metric_sensitivity(
        local,
        solution,
        &state.downwind,
        gamma,
        &state.phi_bar,
    );
    let (mut tetrahedra, mut values) = (Vec::new(), Vec::new());
    for (t, s) in local.global_tetrahedra.iter().zip(sensitivity) {
        if let Some(s) = s {
            tetrahedra.push(*t);
            values.extend(s);
        }
    }
    gather(comm, model.size[1], 6, &tetrahedra, &values)
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
    parameters: &[f64],
    sizes: &[f64],
    at: f64,
    exact: &[f64],
) -> Result<Check> {
    let largest = exact.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
    let mut progress = Progress::start(&job.console, job.comm.rank(), "check", 24);
    let (mut h, mut error) = (Vec::new(), Vec::new());
    for exponent in 1..=12 {
        let step = 10f64.powi(-exponent);
        let steps: Vec<f64> = sizes.iter().map(|size| step * size).collect();
        let mut row = [0.0; 2];
        for (i, scheme) in [Scheme::OneSided, Scheme::Central].into_iter().enumerate() {
            let differences = finite_differences::gradient(misfit, parameters, at, scheme, &steps)?;
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
    let (by_gamma, by_sources) = gradient.parameters.split_at(gradient.domains);
    job.report.result("gradient", by_gamma.to_vec());
    if !by_sources.is_empty() {
        job.report.result("source_gradient", by_sources.to_vec());
    }
    if job.comm.rank() == 0 {
        let norm = by_gamma.iter().map(|g| g * g).sum::<f64>().sqrt();
        tracing::info!(
            "misfit {:.6e} ms^2, norm of its gradient {norm:.6e} ms^2",
            gradient.misfit
        );
        tracing::debug!("gradient {:?}", gradient.parameters);
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
    let k = gradient.domains;
    let (by_gamma, by_sources) = gradient.parameters.split_at(k);
    file.dataset("/gradient/gamma", &[k], by_gamma, "ms^2")?;
    file.number("/gradient/gamma", "misfit", gradient.misfit)?;
    let mode = match gradient.mode {
        GradientMode::Adjoint => "adjoint",
        GradientMode::Tangent => "tangent",
        GradientMode::FiniteDifferences => "finite-differences",
        GradientMode::AllActive => "all-active",
    };
    file.text("/gradient/gamma", "mode", mode)?;
    if !by_sources.is_empty() {
        let (shape, unit) = ([by_sources.len()], "ms, ms^2/mm");
        file.dataset("/gradient/sources", &shape, by_sources, unit)?;
    }
    if let Some(jacobian) = &gradient.jacobian {
        let (n, width) = (gradient.phi.len(), gradient.parameters.len());
        let columns = |range: std::ops::Range<usize>| {
            let rows = jacobian.chunks_exact(width);
            rows.flat_map(|row| row[range.clone()].to_vec())
                .collect::<Vec<f64>>()
        };
        file.dataset("/gradient/jacobian", &[n, k], &columns(0..k), "ms")?;
        if width > k {
            let by_sources = columns(k..width);
            file.dataset(
                "/gradient/source_jacobian",
                &[n, width - k],
                &by_sources,
                "",
            )?;
        }
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
