//! Linear systems of cycles whose members live on several ranks: gathered, solved on rank 0, and
//! handed back.

use super::cyclic_system::CyclicSystem;
use super::upwind::{SharedCycle, UpwindStencil};
use crate::comm::{Communicator, broadcast_slice, from_bytes};

/// Which system is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// (I − G) x = r, the tangent's.
    Direct,
    /// (I − G)ᵀ x = r, the adjoint's.
    Transpose,
}

/// Solves the system of `cycle` for `width` right-hand sides: `right` of each owned member, in the
/// order of `cycle.local`. Returns the solution of all members. Collective.
pub fn solve(
    comm: &dyn Communicator,
    cycle: &SharedCycle,
    stencils: &[UpwindStencil],
    right: &[f64],
    width: usize,
    side: Side,
) -> Vec<f64> {
    // Rows (member, member, weight), then (member, right-hand side).
    let (mut edges, mut weights) = (Vec::<[u32; 2]>::new(), Vec::<f64>::new());
    let mut rows = Vec::<u32>::new();
    for (v, position) in cycle.owned(stencils.len()) {
        for (u, lambda) in stencils[v as usize].upwind() {
            if let Some(column) = cycle.position(u) {
                edges.push([position, column]);
                weights.push(lambda);
            }
        }
        rows.push(position);
    }
    let gathered = [
        comm.gather(0, bytemuck::cast_slice(&edges)),
        comm.gather(0, bytemuck::cast_slice(&weights)),
        comm.gather(0, bytemuck::cast_slice(&rows)),
        comm.gather(0, bytemuck::cast_slice(right)),
    ];
    let mut x = Vec::new();
    if comm.rank() == 0 {
        let n = cycle.members.len();
        let mut matrix = vec![Vec::new(); n];
        x = vec![0.0; n * width];
        let [edges, weights, rows, right] = &gathered;
        for (edges, weights) in edges.iter().zip(weights) {
            let (edges, weights) = (from_bytes::<[u32; 2]>(edges), from_bytes::<f64>(weights));
            for ([m, u], weight) in edges.into_iter().zip(weights) {
                matrix[m as usize].push((u, weight));
            }
        }
        for (rows, right) in rows.iter().zip(right) {
            let (rows, right) = (from_bytes::<u32>(rows), from_bytes::<f64>(right));
            for (m, r) in rows.iter().zip(right.chunks_exact(width)) {
                x[*m as usize * width..][..width].copy_from_slice(r);
            }
        }
        let system = CyclicSystem::new(&matrix);
        match side {
            Side::Direct => system.solve(&mut x, width),
            Side::Transpose => system.solve_transpose(&mut x, width),
        }
    }
    broadcast_slice(comm, 0, &mut x);
    x
}
