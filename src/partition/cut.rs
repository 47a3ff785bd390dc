//! Cutting a graph in connected pieces of equal weight: METIS, deterministic, no piece empty.
//!
//! G. Karypis, V. Kumar, SIAM J. Sci. Comput. 20 (1998) 359.

use std::sync::{Mutex, PoisonError};

use ::metis::option::{Contig, Seed, UFactor};

use super::graph::Graph;
use crate::error::{Error, Result};

/// METIS draws from the C library's `rand`, which all threads share.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Below so many nodes per part METIS makes empty parts and says so on the terminal.
const FEWEST_NODES_PER_PART: usize = 32;

/// What a cut is to be like.
pub struct Wish<'a> {
    pub parts: usize,
    /// Kinds of weight that are each to be shared out evenly.
    pub constraints: usize,
    /// Weights of each node, one of each kind; none: all 1. Their sums must fit an i32.
    pub weights: Option<&'a [i32]>,
    /// Excess of the heaviest part over the mean that is allowed, in thousandths.
    pub imbalance: i32,
    /// Each part in one piece, where the graph is.
    pub contiguous: bool,
}

/// Part of each node of `graph`, which has at least as many nodes as parts; each part has one.
///
/// # Errors
/// [`Error::Bug`] where METIS fails.
pub fn cut(graph: &Graph, wish: &Wish) -> Result<Vec<u32>> {
    if wish.parts == 1 {
        return Ok(vec![0; graph.size()]);
    }
    let mut parts = if graph.size() < FEWEST_NODES_PER_PART * wish.parts {
        runs(graph, wish)
    } else {
        metis(graph, wish)?
    };
    fill_empty(&mut parts, wish.parts);
    Ok(parts)
}

fn metis(graph: &Graph, wish: &Wish) -> Result<Vec<u32>> {
    // METIS ends the process if asked for connected parts of a graph that is not.
    let contiguous = wish.contiguous && graph.breadth_first().1 == 1;
    let bug = |e: String| Error::Bug(format!("METIS: {e}"));
    let mut parts = vec![0i32; graph.size()];
    let mut call = ::metis::Graph::new(
        wish.constraints as i32,
        wish.parts as i32,
        &graph.offsets,
        &graph.neighbours,
    )
    .map_err(|e| bug(e.to_string()))?
    .set_option(Seed(1))
    .set_option(UFactor(wish.imbalance))
    .set_option(Contig(contiguous));
    if let Some(weights) = wish.weights {
        call = call.set_vwgt(weights);
    }
    let lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = call.part_kway(&mut parts);
    drop(lock);
    match outcome {
        Ok(_) => Ok(parts.into_iter().map(|p| p as u32).collect()),
        Err(::metis::Error::Memory) => Err(Error::bad_data(
            "mesh",
            "not enough memory to partition it",
            "run on a node with more memory",
        )),
        Err(e) => Err(bug(e.to_string())),
    }
}

/// Consecutive runs of a breadth-first order; as equal as the weights allow.
fn runs(graph: &Graph, wish: &Wish) -> Vec<u32> {
    let weight = |node: usize| match wish.weights {
        None => 1,
        Some(weights) => {
            let of_node = &weights[node * wish.constraints..][..wish.constraints];
            of_node.iter().map(|w| *w as u64).sum::<u64>().max(1)
        }
    };
    let total: u64 = (0..graph.size()).map(weight).sum();
    let mut parts = vec![0; graph.size()];
    let mut before = 0;
    for node in graph.breadth_first().0 {
        let weight = weight(node as usize);
        // The part that holds the middle of this node's weight.
        let part = (2 * before + weight) * wish.parts as u64 / (2 * total);
        parts[node as usize] = part as u32;
        before += weight;
    }
    parts
}

/// Gives each empty part the highest node of the largest part.
fn fill_empty(parts: &mut [u32], count: usize) {
    let mut sizes = vec![0usize; count];
    for p in parts.iter() {
        sizes[*p as usize] += 1;
    }
    for empty in 0..count {
        if sizes[empty] > 0 {
            continue;
        }
        let largest = (0..count).rev().max_by_key(|p| sizes[*p]).unwrap_or(0);
        if let Some(node) = parts.iter().rposition(|p| *p as usize == largest) {
            parts[node] = empty as u32;
            sizes[largest] -= 1;
            sizes[empty] = 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_parts_are_filled_from_the_largest() {
        let mut parts = vec![1, 1, 1, 3, 1, 3];
        fill_empty(&mut parts, 4);
        assert_eq!(parts, [1, 1, 2, 3, 0, 3]);
    }

    #[test]
    fn runs_are_equal() {
        // A path of 10 nodes in 5 parts.
        let mut graph = Graph {
            offsets: vec![0],
            neighbours: Vec::new(),
        };
        for i in 0..10 {
            let around = [i - 1, i + 1];
            graph
                .neighbours
                .extend(around.iter().filter(|j| (0..10).contains(*j)));
            graph.offsets.push(graph.neighbours.len() as i32);
        }
        let wish = Wish {
            parts: 5,
            constraints: 1,
            weights: None,
            imbalance: 10,
            contiguous: true,
        };
        assert_eq!(cut(&graph, &wish).unwrap(), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }
}
