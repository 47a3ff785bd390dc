//! `eikonal --simulate-ranks`: the distributed algorithm with so many ranks as threads of this
//! process, through the same exchanges as under MPI, and what it costs.
//!
//! Each rank has one thread. The times are those of one rank to the last bit, and are compared with
//! them.

use std::fmt::Write;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

use super::job::Job;
use super::model::{self, Prepared};
use super::plan::bytes;
use super::print_on_root;
use super::signals::StopRequests;
use crate::comm::halo::Traffic;
use crate::comm::metered::{Metered, critical_path};
use crate::comm::{Communicator, agree, threads};
use crate::eikonal::forward::{Eikonal, ForwardCounters};
use crate::eikonal::options::Precision;
use crate::error::{Error, Result};
use crate::partition;
use crate::partition::local_mesh::{WholeMesh, distribute};
use crate::real::Real;
use crate::units::counted;

/// Runs the study for each number of ranks and prints a table; `report.json` goes to a folder that is
/// asked for only, so that the folder of the case's results stays free for the run that follows.
pub fn study(job: &mut Job, ranks: &[usize], to_folder: bool, stop: &StopRequests) -> Result<()> {
    let alone = match job.comm.size() {
        1 => Ok(()),
        _ => Err(Error::Usage {
            problem: "--simulate-ranks under an MPI launcher".into(),
            remedy: "run it as one process: its ranks are threads".into(),
        }),
    };
    agree(job.comm, alone)?;
    let output = to_folder.then(|| job.open_output(None)).transpose()?;
    let Some(prepared) = model::prepare(job)? else {
        return Ok(());
    };
    let [vertices, tetrahedra] = [
        prepared.root.mesh.vertex_count(),
        prepared.root.mesh.tetrahedron_count(),
    ];
    job.report.mesh(vertices, tetrahedra);
    let inputs = prepared.root.inputs.clone();
    let text = match job.case.eikonal.precision {
        Precision::F32 => rows::<f32>(job, prepared, ranks, stop)?,
        Precision::F64 => rows::<f64>(job, prepared, ranks, stop)?,
    };
    if let Some(output) = &output {
        output.begin(job.comm, job.case.to_toml(), &inputs)?;
        job.finish(output)?;
    }
    print_on_root(job.comm, &text)
}

/// The table, whose rows also go to the report.
fn rows<T: Real>(
    job: &mut Job,
    mut prepared: Prepared,
    ranks: &[usize],
    stop: &StopRequests,
) -> Result<String> {
    let width = job.case.eikonal.bucket_width;
    let starts: Vec<u32> = prepared.sources.iter().map(|s| s.vertex).collect();
    let (mut text, mut found) = (header(), Vec::new());
    let mut one: Option<Simulated> = None;
    for n in std::iter::once(&1).chain(ranks.iter().filter(|n| **n > 1)) {
        stop.heed(job.comm, &job.report)?;
        tracing::info!("simulating {}", counted(*n, "rank"));
        let begun = Instant::now();
        prepared.root.mesh.parts = Some(partition::wave_parts(&prepared.root.mesh, *n, &starts)?);
        job.report.add_time("partition", begun.elapsed());
        let begun = Instant::now();
        let expected = one.as_ref().map(|one| &one.phi[..]);
        let simulated = simulate::<T>(&prepared, *n, width, expected)?;
        job.report.add_time("simulate", begun.elapsed());
        let base = one.as_ref().unwrap_or(&simulated);
        text += &simulated.row(base);
        found.push(simulated.record(base));
        if one.is_none() {
            one = Some(simulated);
        }
    }
    job.report.result("simulated_ranks", found);
    Ok(text)
}

/// What a number of ranks took, all together.
struct Simulated {
    ranks: usize,
    /// Times of all vertices; of one rank only.
    phi: Vec<f64>,
    /// Vertices whose time differs from that of one rank.
    different: u64,
    forward: ForwardCounters,
    adjoint: Traffic,
    /// Tetrahedra of the largest part over their mean.
    imbalance: f64,
    /// Seconds on the critical path, and those of all ranks together.
    forward_s: [f64; 2],
    adjoint_s: [f64; 2],
}

/// What one rank brings home.
struct Share {
    tetrahedra: usize,
    phi: Vec<(u32, f64)>,
    counters: ForwardCounters,
    adjoint: Traffic,
    forward_steps: Vec<f64>,
    adjoint_steps: Vec<f64>,
}

fn simulate<T: Real>(
    prepared: &Prepared,
    ranks: usize,
    width: Option<f64>,
    expected: Option<&[f64]>,
) -> Result<Simulated> {
    let Prepared {
        root,
        sources,
        gamma,
    } = prepared;
    let metric = |t: usize| root.metric(t);
    let (domains, parts) = root
        .mesh
        .domains
        .as_ref()
        .zip(root.mesh.parts.as_ref())
        .ok_or_else(|| Error::Bug("a mesh without domains or parts".into()))?;
    let whole = WholeMesh {
        points: &root.mesh.points,
        tetrahedra: &root.mesh.tetrahedra,
        metric: &metric,
        domains,
        parts,
    };
    let gamma_t: Vec<T> = gamma.iter().map(|g| T::from_f64(*g)).collect();
    let different = Mutex::new(0u64);
    let body = |comm: &dyn Communicator| -> Result<Share> {
        let say = |phase: &str| {
            if comm.rank() == 0 {
                tracing::info!("{}: {phase}", counted(ranks, "rank"));
            }
        };
        let local = distribute(comm, (comm.rank() == 0).then_some(&whole))?;
        let tetrahedra = local.tetrahedra.len();
        let eikonal = Eikonal::<T>::new(comm, &local, sources, width)?;
        drop(local);
        let comm = Metered::new(comm);
        comm.barrier();
        comm.take();
        say("forward solution");
        let solution = eikonal.solve(&comm, &gamma_t)?;
        let forward_steps = comm.take();
        comm.barrier();
        comm.take();
        say("adjoint");
        let mut adjoint = Traffic::default();
        let mut phi_bar = vec![0.0; eikonal.mesh.vertex_count()];
        phi_bar[..eikonal.mesh.owned].fill(1.0);
        let downwind = eikonal.downwind(&comm, &solution, &mut adjoint);
        eikonal.adjoint(&comm, &solution, &downwind, &mut phi_bar, &mut adjoint);
        let adjoint_steps = comm.take();
        let numbers = &eikonal.numbers.vertices[..eikonal.mesh.owned];
        let times = solution.phi.iter().map(|t| t.value());
        let mut phi: Vec<(u32, f64)> = numbers.iter().copied().zip(times).collect();
        if let Some(expected) = expected {
            let differs = |(v, t): &&(u32, f64)| expected[*v as usize].to_bits() != t.to_bits();
            let count = phi.iter().filter(differs).count() as u64;
            *different.lock().unwrap_or_else(|e| e.into_inner()) += count;
            phi = Vec::new();
        }
        Ok(Share {
            tetrahedra,
            phi,
            counters: solution.counters,
            adjoint,
            forward_steps,
            adjoint_steps,
        })
    };
    let shares = threads::run(ranks, |comm| on_one_thread(|| body(comm)));
    let shares: Vec<Share> = shares.into_iter().collect::<Result<_>>()?;
    let steps = |of: fn(&Share) -> &Vec<f64>| {
        let all: Vec<Vec<f64>> = shares.iter().map(|s| of(s).clone()).collect();
        [critical_path(&all), all.iter().flatten().sum()]
    };
    let mut forward = ForwardCounters::default();
    let mut adjoint = Traffic::default();
    for share in &shares {
        forward += share.counters;
        adjoint += share.adjoint;
    }
    // Rounds and restarts are those of all; traffic is summed.
    let first = &shares[0];
    forward.restarts = first.counters.restarts;
    forward.traffic.exchanges = first.counters.traffic.exchanges;
    forward.canonical_traffic.exchanges = first.counters.canonical_traffic.exchanges;
    adjoint.exchanges = first.adjoint.exchanges;
    let mean = shares.iter().map(|s| s.tetrahedra).sum::<usize>() as f64 / ranks as f64;
    let most = shares.iter().map(|s| s.tetrahedra).max().unwrap_or(0) as f64;
    let mut phi = Vec::new();
    if expected.is_none() {
        phi = vec![f64::INFINITY; root.mesh.vertex_count()];
        for (v, t) in shares.iter().flat_map(|s| &s.phi) {
            phi[*v as usize] = *t;
        }
    }
    Ok(Simulated {
        ranks,
        phi,
        different: different.into_inner().unwrap_or_else(|e| e.into_inner()),
        imbalance: most / mean.max(1.0),
        forward_s: steps(|s| &s.forward_steps),
        adjoint_s: steps(|s| &s.adjoint_steps),
        forward,
        adjoint,
    })
}

/// Runs `body` where all parallel loops run on the calling thread.
fn on_one_thread<R>(body: impl FnOnce() -> Result<R>) -> Result<R> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build()
        .map_err(|e| Error::Bug(format!("a pool of the calling thread alone: {e}")))?;
    let result = body();
    drop(pool);
    result
}

/// Two lines: what the columns are about, and their names.
fn header() -> String {
    format!(
        "{:16}   {:<48}   {:<36}   {:<17}   {:<19}   {:<17}\n\
         {:>6} {:>9}   {:>7} {:>10} {:>9} {:>9} {:>9}   {:>7} {:>8} {:>9} {:>9}   {:>7} {:>9}   {:>9} {:>9}   {:>8} {:>8}\n",
        "",
        "iteration",
        "canonical pass",
        "adjoint",
        "critical path, s",
        "speed-up",
        "ranks",
        "imbalance",
        "rounds",
        "solves",
        "of one's",
        "messages",
        "sent",
        "rounds",
        "solves",
        "messages",
        "sent",
        "rounds",
        "sent",
        "forward",
        "adjoint",
        "forward",
        "adjoint",
    )
}

impl Simulated {
    fn row(&self, one: &Self) -> String {
        let f = &self.forward;
        let (iteration, canonical) = (&f.traffic, &f.canonical_traffic);
        let mut row = format!(
            "{:>6} {:>9.3}   {:>7} {:>10.3e} {:>8.3}× {:>9} {:>9}   {:>7} {:>7.3}× {:>9} {:>9}   {:>7} {:>9}   {:>9.4} {:>9.4}   {:>8.1} {:>8.1}\n",
            self.ranks,
            self.imbalance,
            iteration.exchanges,
            f.local_solves as f64,
            ratio(f.local_solves, one.forward.local_solves),
            iteration.messages,
            bytes(iteration.bytes_sent),
            canonical.exchanges,
            ratio(f.canonical_solves, one.forward.canonical_solves),
            canonical.messages,
            bytes(canonical.bytes_sent),
            self.adjoint.exchanges,
            bytes(self.adjoint.bytes_sent),
            self.forward_s[0],
            self.adjoint_s[0],
            one.forward_s[1] / self.forward_s[0],
            one.adjoint_s[1] / self.adjoint_s[0],
        );
        if self.different > 0 {
            let different = self.different;
            let _ = writeln!(
                row,
                "       {different} vertices differ from one rank: a bug"
            );
        }
        row
    }

    fn record(&self, one: &Self) -> Value {
        let traffic = |t: &Traffic| json!({ "rounds": t.exchanges, "messages": t.messages, "bytes_sent": t.bytes_sent });
        let f = &self.forward;
        let canonical = ratio(f.canonical_solves, one.forward.canonical_solves);
        json!({
            "ranks": self.ranks,
            "largest_part_over_mean": self.imbalance,
            "vertices_different_from_one_rank": self.different,
            "iteration": traffic(&f.traffic),
            "canonical": traffic(&f.canonical_traffic),
            "adjoint": traffic(&self.adjoint),
            "local_solves": f.local_solves,
            "local_solves_over_one_rank": ratio(f.local_solves, one.forward.local_solves),
            "canonical_solves": f.canonical_solves,
            "canonical_solves_over_one_rank": canonical,
            "vertex_updates": f.vertex_updates,
            "restarts": f.restarts,
            "critical_path_s": { "forward": self.forward_s[0], "adjoint": self.adjoint_s[0] },
            "all_ranks_s": { "forward": self.forward_s[1], "adjoint": self.adjoint_s[1] },
        })
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}
