//! `isochrone eikonal`: activation times from sources.

use std::path::PathBuf;
use std::time::Instant;

use super::eikonal_ranks;
use super::job::Job;
use super::model::{self, Model, Prepared, Root};
use super::output::Output;
use super::parted;
use super::plan::Plan;
use super::result;
use super::signals::StopRequests;
use crate::cli::EikonalArgs;
use crate::comm::{Communicator, agree};
use crate::eikonal::forward::ForwardCounters;
use crate::eikonal::options::Precision;
use crate::error::Result;
use crate::inversion::sources::Extent;
use crate::io::ResultFile;
use crate::progress::Console;
use crate::real::Real;
use crate::report::Report;

/// Runs the command. Collective.
pub fn run(args: &EikonalArgs, comm: &dyn Communicator, console: Console) -> Result<()> {
    let mut job = Job::begin("eikonal", &args.run, comm, console, |case| {
        case.mesh()?;
        case.sources()?;
        Ok(())
    })?;
    if job.dry_run {
        let files = job.case.output.files("eikonal", true);
        return plan(&mut job, &files, None, 0);
    }
    let stop = agree(comm, StopRequests::listen(None))?;
    if !args.simulate_ranks.is_empty() {
        let to_folder = args.run.output.is_some();
        return eikonal_ranks::study(&mut job, &args.simulate_ranks, to_folder, &stop);
    }
    let output = job.open_output(None)?;
    if let Some((parted, model)) = parted::build(&mut job)? {
        let phi = match job.case.eikonal.precision {
            Precision::F32 => solve::<f32>(&mut job, &model, &output, &stop)?,
            Precision::F64 => solve::<f64>(&mut job, &model, &output, &stop)?,
        };
        parted::summarise(comm, &mut job.report, &model, &phi);
        parted::write(&mut job, &output, &model, &parted, &phi)?;
        return job.finish(&output);
    }
    let model = model::build(&mut job)?;
    let phi = match job.case.eikonal.precision {
        Precision::F32 => solve::<f32>(&mut job, &model, &output, &stop)?,
        Precision::F64 => solve::<f64>(&mut job, &model, &output, &stop)?,
    };
    let phi = model.gather(comm, &phi);
    if comm.rank() == 0 {
        summarise(&mut job.report, &model, &phi);
    }
    let add = |_: &mut ResultFile, _: &Root| Ok(());
    result::write(&mut job, &output, &model, "eikonal.h5", &phi, add)?;
    job.finish(&output)
}

/// φ of the vertices that this rank owns, unless the run is to stop before they are written.
fn solve<T: Real>(
    job: &mut Job,
    model: &Model,
    output: &Output,
    stop: &StopRequests,
) -> Result<Vec<f64>> {
    let eikonal = model.eikonal::<T>(job)?;
    stop.heed(job.comm, &job.report)?;
    job.begin_output(output, model)?;
    let gamma: Vec<T> = model.gamma.iter().map(|g| T::from_f64(*g)).collect();
    if job.comm.rank() == 0 {
        let [vertices, tetrahedra] = model.size;
        tracing::info!("solving for {vertices} vertices, {tetrahedra} tetrahedra");
    }
    let (begun, waited) = (Instant::now(), job.comm.waited());
    let solution = eikonal.solve(job.comm, &gamma)?;
    job.report.add_time("solve", begun.elapsed());
    job.report.count_exchange(job.comm, waited);
    count_forward(&mut job.report, &solution.counters);
    stop.heed(job.comm, &job.report)?;
    let owned = &solution.phi[..model.local.owned];
    Ok(owned.iter().map(|t| t.value()).collect())
}

/// Adds the counters of forward solutions to the report.
pub fn count_forward(report: &mut Report, counters: &ForwardCounters) {
    report.count("local_solves", counters.local_solves);
    report.count("canonical_solves", counters.canonical_solves);
    report.count("vertex_updates", counters.vertex_updates);
    report.count("cyclic_vertices", counters.cyclic_vertices);
    let traffic = counters.whole_traffic();
    report.count("messages", traffic.messages);
    report.count("bytes_sent", traffic.bytes_sent);
    report.count_once("exchanges", traffic.exchanges);
    report.count_once("restarts", counters.restarts);
}

/// What the times say at a glance, in the report and in the log.
pub fn summarise(report: &mut Report, model: &Model, phi: &[f64]) {
    let unreached = phi.iter().filter(|t| **t == f64::INFINITY).count();
    let last = phi
        .iter()
        .copied()
        .filter(|t| t.is_finite())
        .fold(f64::NEG_INFINITY, f64::max);
    let first = phi.iter().copied().fold(f64::INFINITY, f64::min);
    let emitters = model.root.iter().flat_map(|root| &root.emitters);
    // Onsets that are computed or found are no one's wish.
    let late: usize = emitters
        .filter(|emitter| !emitter.onset_unknown)
        .map(|emitter| match &emitter.extent {
            Extent::Vertices(list) => {
                let early = |v: &&u32| phi[**v as usize] < emitter.onset;
                list.iter().filter(early).count()
            }
            Extent::Ball { .. } => 0,
        })
        .sum();
    tell(report, [first, last], unreached, model.sources.len(), late);
}

/// First and last activation, vertices not reached, sources, and those reached before their onset.
pub fn tell(
    report: &mut Report,
    [first, last]: [f64; 2],
    unreached: usize,
    sources: usize,
    late: usize,
) {
    report.result("first_activation_ms", first);
    report.result("last_activation_ms", last);
    report.result("unreached_vertices", unreached);
    report.result("source_vertices", sources);
    report.result("late_source_vertices", late);
    tracing::info!("activated from {first:.3} to {last:.3} ms");
    if unreached > 0 {
        tracing::warn!(
            "{unreached} vertices are reached by no source (+inf): other components of the mesh?"
        );
    }
    if late > 0 {
        tracing::warn!(
            "{late} source vertices are reached by another source before their onset; the earlier time counts"
        );
    }
}

/// `--dry-run`: sizes, memory and files. `checkpoint` is what the command can resume from,
/// `derivatives` the number of directions whose tangents are held at once.
pub fn plan(
    job: &mut Job,
    files: &[String],
    checkpoint: Option<&str>,
    derivatives: u64,
) -> Result<()> {
    let prepared = model::prepare(job)?;
    let mut plan = Plan::default();
    if let Some(prepared) = &prepared {
        let Prepared {
            root,
            sources,
            gamma,
        } = prepared;
        let ranks = job.comm.size();
        let (n, m) = (root.mesh.vertex_count(), root.mesh.tetrahedron_count());
        plan.step("vertices", n);
        plan.step("tetrahedra", m);
        plan.step("domains", gamma.len());
        plan.step("source vertices", sources.len());
        plan.step("ranks", ranks);
        plan.step("threads per rank", job.threads);
        let parts = root.mesh.parts.as_deref().unwrap_or_default();
        plan.memory_per_rank = memory_per_rank(root, parts, ranks, job, derivatives);
    }
    plan.files = files
        .iter()
        .map(String::as_str)
        .chain(checkpoint)
        .chain(["config.toml", "report.json"])
        .map(|name| job.folder.join(name))
        .collect::<Vec<PathBuf>>();
    plan.refused = job.check_output(checkpoint).err().map(|e| e.to_string());
    job.print_plan(&plan)
}

/// Bytes that each rank will need at its peak.
fn memory_per_rank(
    root: &Root,
    parts: &[u32],
    ranks: usize,
    job: &Job,
    derivatives: u64,
) -> Vec<u64> {
    let number = match job.case.eikonal.precision {
        Precision::F32 => 4,
        Precision::F64 => 8,
    };
    // A rank holds every tetrahedron that touches an owned vertex.
    let (mut tetrahedra, mut vertices) = (vec![0u64; ranks], vec![0u64; ranks]);
    for tet in &root.mesh.tetrahedra {
        let mut owners = tet.map(|v| parts[v as usize]);
        owners.sort_unstable();
        for (i, owner) in owners.iter().enumerate() {
            if i == 0 || owners[i - 1] != *owner {
                tetrahedra[*owner as usize] += 1;
            }
        }
    }
    for part in parts {
        vertices[*part as usize] += 1;
    }
    // The process itself with HDF5 alone or under MPI, as measured on a mesh of 840 tetrahedra.
    const ALONE: u64 = 20 << 20;
    const WITH_MPI: u64 = 30 << 20;
    let process = if ranks > 1 { WITH_MPI } else { ALONE };
    // Local mesh (indices, numbers, f64 lengths), solver (indices, lengths, domain, corners).
    let per_tetrahedron = (16 + 4 + 48 + 4) + (16 + 6 * number + 4 + 16 + 5);
    // Coordinates, numbers, times, flags, stencils, candidates, causal order, adjoint.
    let per_vertex = 24 + 4 + number + 16 + 48 + 8 + 24 + 60 + 8 * derivatives;
    let whole =
        16 * root.mesh.tetrahedron_count() as u64 * 7 + 40 * root.mesh.vertex_count() as u64;
    (0..ranks)
        .map(|r| {
            let own = tetrahedra[r] * per_tetrahedron + vertices[r] * per_vertex;
            process + own + if r == 0 { whole } else { 0 }
        })
        .collect()
}
