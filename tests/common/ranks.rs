//! Solving a case on ranks that are threads of the test, and putting the result together.

use isochrone::comm::Communicator;
use isochrone::comm::threads;
use isochrone::eikonal::forward::{Eikonal, ForwardCounters, Solution};
use isochrone::partition::local_mesh::{LocalMesh, WholeMesh, distribute};
use isochrone::partition::vertex_parts;
use isochrone::real::Real;

use super::cases::Case;

/// Part of each vertex.
#[derive(Debug, Clone, Copy)]
pub enum Parts {
    /// As the program cuts.
    Metis(usize),
    /// Vertex number modulo the ranks: every cycle spans ranks.
    Modulo(usize),
    /// Stripes of consecutive numbers.
    Stripes(usize, usize),
}

impl Parts {
    pub fn ranks(self) -> usize {
        match self {
            Parts::Metis(r) | Parts::Modulo(r) | Parts::Stripes(r, _) => r,
        }
    }

    pub fn of(self, case: &Case) -> Vec<u32> {
        let n = case.vertices();
        match self {
            Parts::Metis(r) => vertex_parts(&case.mesh, r).unwrap(),
            Parts::Modulo(r) => (0..n).map(|v| (v % r) as u32).collect(),
            Parts::Stripes(r, width) => (0..n).map(|v| (v / width % r) as u32).collect(),
        }
    }
}

/// What one rank has at hand.
pub struct Rank<'a, T: Real> {
    pub comm: &'a dyn Communicator,
    pub local: &'a LocalMesh,
    pub eikonal: &'a Eikonal<T>,
    pub solution: &'a Solution<T>,
}

impl<T: Real> Rank<'_, T> {
    /// (number in the file, value) of the owned vertices; `values` vertex by vertex.
    pub fn owned(&self, values: &[f64], width: usize) -> Vec<(u32, Vec<f64>)> {
        let numbers = &self.local.global_vertices[..self.local.owned];
        let rows = values.chunks_exact(width).map(<[f64]>::to_vec);
        numbers.iter().copied().zip(rows).collect()
    }
}

/// Runs `body` on every rank with the solution there.
pub fn on_ranks<T: Real, R: Send>(
    case: &Case,
    gamma: &[T],
    parts: Parts,
    width: Option<f64>,
    body: impl Fn(Rank<T>) -> R + Sync,
) -> Vec<R> {
    let of_vertex = parts.of(case);
    let metric = |t: usize| case.metric_tensor(t);
    let whole = WholeMesh {
        points: &case.mesh.points,
        tetrahedra: &case.mesh.tetrahedra,
        metric: &metric,
        domains: &case.domains,
        parts: &of_vertex,
    };
    threads::run(parts.ranks(), |comm| {
        let whole = (comm.rank() == 0).then_some(&whole);
        let local = distribute(comm, whole).unwrap();
        let eikonal = Eikonal::<T>::new(comm, &local, &case.sources, width).unwrap();
        let solution = eikonal.solve(comm, gamma).unwrap();
        body(Rank {
            comm,
            local: &local,
            eikonal: &eikonal,
            solution: &solution,
        })
    })
}

/// Values of all vertices in the file's order, from each rank's owned ones.
pub fn assemble(case: &Case, parts: impl IntoIterator<Item = Vec<(u32, Vec<f64>)>>) -> Vec<f64> {
    let mut rows = vec![Vec::new(); case.vertices()];
    for (v, row) in parts.into_iter().flatten() {
        rows[v as usize] = row;
    }
    assert!(rows.iter().all(|row| !row.is_empty()));
    rows.concat()
}

/// Stencil in numbers of the file: vertices, tetrahedron, λ and s as bits.
pub type NamedStencil = ([u32; 3], u32, [u64; 3], u64);

/// A solution put together.
pub struct Whole {
    pub phi: Vec<f64>,
    pub stencils: Vec<Option<NamedStencil>>,
    /// Of all ranks together.
    pub counters: ForwardCounters,
    /// Cycles solved across ranks, and the members of the largest.
    pub shared_cycles: (usize, usize),
    /// Cycles of single ranks, and the members of the largest.
    pub own_cycles: (usize, usize),
}

/// Solves on ranks.
pub fn solve<T: Real>(case: &Case, parts: Parts, width: Option<f64>) -> Whole {
    let gamma: Vec<T> = case.gamma.iter().map(|g| T::from_f64(*g)).collect();
    let results = on_ranks(case, &gamma, parts, width, |rank| {
        let phi: Vec<f64> = rank.solution.phi.iter().map(|p| p.value()).collect();
        let numbers = &rank.eikonal.numbers;
        let stencils: Vec<Option<NamedStencil>> = rank
            .solution
            .stencils
            .iter()
            .map(|s| {
                (!s.is_fixed()).then(|| {
                    (
                        s.vertices.map(|v| numbers.vertices[v as usize]),
                        numbers.tetrahedra[s.tetrahedron as usize],
                        s.lambda.map(f64::to_bits),
                        s.s.to_bits(),
                    )
                })
            })
            .collect();
        check_order(&rank);
        let order = &rank.solution.order;
        let shared: Vec<usize> = order
            .rounds
            .iter()
            .flat_map(|r| &r.shared_cycles)
            .map(|c| c.members.len())
            .collect();
        let own: Vec<usize> = order.cycles.iter().map(|r| r.len()).collect();
        let names = rank.local.global_vertices[..rank.local.owned].to_vec();
        (
            rank.owned(&phi, 1),
            names,
            stencils,
            rank.solution.counters,
            shared,
            own,
        )
    });
    let mut whole = Whole {
        phi: Vec::new(),
        stencils: vec![None; case.vertices()],
        counters: ForwardCounters::default(),
        shared_cycles: (0, 0),
        own_cycles: (0, 0),
    };
    let mut phi = Vec::new();
    for (times, names, stencils, counters, shared, own) in results {
        for (name, stencil) in names.iter().zip(stencils) {
            whole.stencils[*name as usize] = stencil;
        }
        phi.push(times);
        let c = &mut whole.counters;
        c.local_solves += counters.local_solves;
        c.canonical_solves += counters.canonical_solves;
        c.vertex_updates += counters.vertex_updates;
        c.cyclic_vertices += counters.cyclic_vertices;
        c.restarts = c.restarts.max(counters.restarts);
        // The same list on all ranks.
        whole.shared_cycles = (shared.len(), shared.iter().copied().max().unwrap_or(0));
        whole.own_cycles.0 += own.len();
        whole.own_cycles.1 = whole
            .own_cycles
            .1
            .max(own.iter().copied().max().unwrap_or(0));
    }
    whole.phi = assemble(case, phi);
    whole
}

/// Every owned vertex is in the order once; what a vertex depends on is before it, is a ghost, or
/// is in the same cycle.
fn check_order<T: Real>(rank: &Rank<T>) {
    let order = &rank.solution.order;
    let owned = rank.local.owned;
    let held = rank.local.global_vertices.len();
    let mut position = vec![usize::MAX; held];
    for (i, v) in order.vertices.iter().enumerate() {
        assert_eq!(position[*v as usize], usize::MAX, "twice in the order");
        position[*v as usize] = i;
    }
    assert!(position[..owned].iter().all(|p| *p < usize::MAX));
    assert_eq!(
        order.rounds.last().map(|r| r.end),
        Some(order.vertices.len())
    );
    assert_eq!(
        order.levels.last().copied().unwrap_or(0),
        order.vertices.len()
    );
    let mut cycle_of = vec![usize::MAX; held];
    for (c, range) in order.cycles.iter().enumerate() {
        for i in range.clone() {
            cycle_of[order.vertices[i] as usize] = c;
        }
    }
    let shared = order.rounds.iter().flat_map(|r| &r.shared_cycles);
    for (c, cycle) in shared.enumerate() {
        for (v, _) in cycle.local.iter().filter(|(v, _)| (*v as usize) < owned) {
            cycle_of[*v as usize] = order.cycles.len() + c;
        }
    }
    for (v, stencil) in rank.solution.stencils.iter().enumerate() {
        for (u, _) in stencil.upwind() {
            let u = u as usize;
            if u >= owned || (cycle_of[u] == cycle_of[v] && cycle_of[v] != usize::MAX) {
                continue;
            }
            assert!(position[u] < position[v], "downwind before upwind");
        }
    }
}
