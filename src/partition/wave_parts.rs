//! Parts for few ranks and one wave.
//!
//! Ranks advance together, so a rank works while the wave is in its part. Two halves of least
//! boundary are done mostly one after the other where the wave comes from one side; so each part
//! gets its share of every shell around the sources, and all have work from the beginning to the
//! end. Many parts would become long and thin by that; there the wave is in many of them at once.

use super::cut::{Wish, cut};
use super::graph::{Graph, vertex_graph};
use super::parts::{vertex_parts, work};
use crate::error::Result;
use crate::mesh::TetMesh;

/// Ranks beyond which parts are cut without regard to the wave.
const MOST_RANKS: usize = 8;

/// Shells of equal work.
const SHELLS: usize = 6;

/// Part of each vertex, as [`vertex_parts`], for a wave from the vertices `sources`.
///
/// # Errors
/// Those of [`vertex_parts`].
pub fn wave_parts(mesh: &TetMesh, parts: usize, sources: &[u32]) -> Result<Vec<u32>> {
    let n = mesh.vertex_count();
    if !(2..=MOST_RANKS).contains(&parts) || n < 1000 * parts {
        return vertex_parts(mesh, parts);
    }
    let Some(work) = work(mesh) else {
        return vertex_parts(mesh, parts);
    };
    let graph = vertex_graph(mesh)?;
    let mut weights = vec![0; SHELLS * n];
    for (v, shell) in shells(&graph, sources, &work).into_iter().enumerate() {
        weights[SHELLS * v + shell] = work[v];
    }
    cut(
        &graph,
        &Wish {
            parts,
            constraints: SHELLS,
            weights: Some(&weights),
            imbalance: 30,
            contiguous: false,
        },
    )
}

/// Shell of each vertex by its distance from the sources in edges; shells hold equal work. What no
/// source reaches is in the last.
fn shells(graph: &Graph, sources: &[u32], work: &[i32]) -> Vec<usize> {
    let total: u64 = work.iter().map(|w| *w as u64).sum();
    let mut shell = vec![SHELLS; graph.size()];
    let mut front: Vec<u32> = Vec::new();
    for v in sources {
        if shell[*v as usize] == SHELLS {
            shell[*v as usize] = 0;
            front.push(*v);
        }
    }
    let mut done = 0;
    while !front.is_empty() {
        done += front.iter().map(|v| work[*v as usize] as u64).sum::<u64>();
        let current = ((SHELLS as u64 * done / total.max(1)) as usize).min(SHELLS - 1);
        let mut next = Vec::new();
        for v in front {
            for u in graph.neighbours_of(v as usize) {
                let shell = &mut shell[*u as usize];
                if *shell == SHELLS {
                    *shell = current;
                    next.push(*u as u32);
                }
            }
        }
        front = next;
    }
    for shell in &mut shell {
        *shell = (*shell).min(SHELLS - 1);
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::super::cube;
    use super::*;

    /// A wave from a corner of a cube: every half has half of each layer of vertices that it passes.
    #[test]
    fn each_part_has_its_share_of_every_shell() {
        let mesh = cube(16);
        let work = work(&mesh).unwrap();
        let graph = vertex_graph(&mesh).unwrap();
        for parts in [2, 3, 4] {
            let part = wave_parts(&mesh, parts, &[0]).unwrap();
            let mut shares = vec![vec![0.0; parts]; SHELLS];
            for (v, shell) in shells(&graph, &[0], &work).into_iter().enumerate() {
                shares[shell][part[v] as usize] += f64::from(work[v]);
            }
            for share in shares {
                let mean = share.iter().sum::<f64>() / parts as f64;
                assert!(mean > 0.0);
                assert!(share.iter().all(|s| *s < 1.2 * mean), "{parts}: {share:?}");
            }
        }
    }

    #[test]
    fn shells_grow_from_the_sources() {
        // Of fewer layers the last would hold more than a shell.
        let mesh = cube(16);
        let work = vec![1; mesh.vertex_count()];
        let graph = vertex_graph(&mesh).unwrap();
        let shell = shells(&graph, &[0], &work);
        let mut counts = [0; SHELLS];
        shell.iter().for_each(|s| counts[*s] += 1);
        assert_eq!(shell[0], 0);
        assert_eq!(shell[mesh.vertex_count() - 1], SHELLS - 1);
        assert!(counts.iter().all(|c| *c > 0), "{counts:?}");
    }
}
