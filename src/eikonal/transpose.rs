//! The transpose of a sparse graph of vertices, by the threads of the pool.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

/// Vertices per task.
pub const CHUNK: usize = 4096;

/// What the edges that lead to each vertex say.
#[derive(Debug)]
pub struct Transpose {
    /// Those of vertex u: `entries[offsets[u]..offsets[u + 1]]`, in no order.
    pub offsets: Vec<u32>,
    pub entries: Vec<u32>,
}

impl Transpose {
    /// Of a graph of so many vertices; `edges(v)` gives (u, entry) for each edge from v to u, the same
    /// each time.
    pub fn new<I: IntoIterator<Item = (u32, u32)>>(
        vertices: usize,
        edges: impl Fn(u32) -> I + Sync,
    ) -> Self {
        // Edges within a chunk, most of them where neighbours have near numbers, are counted apart:
        // one thread goes through a chunk, and needs no locked instruction.
        let (near, far) = (zeros(vertices), zeros(vertices));
        let add_one = |v: u32, u: u32| {
            if v as usize / CHUNK == u as usize / CHUNK {
                let before = near[u as usize].load(Relaxed);
                near[u as usize].store(before + 1, Relaxed);
                before
            } else {
                far[u as usize].fetch_add(1, Relaxed)
            }
        };
        for_all(vertices, |v| {
            for (u, _) in edges(v) {
                add_one(v, u);
            }
        });
        let mut offsets = Vec::with_capacity(vertices + 1);
        let mut end = 0;
        for (near, far) in near.iter().zip(&far) {
            offsets.push(end);
            end += near.swap(end, Relaxed);
            end += far.swap(end, Relaxed);
        }
        offsets.push(end);
        let entries = zeros(end as usize);
        for_all(vertices, |v| {
            for (u, entry) in edges(v) {
                entries[add_one(v, u) as usize].store(entry, Relaxed);
            }
        });
        Self {
            offsets,
            // In place.
            entries: entries.into_iter().map(AtomicU32::into_inner).collect(),
        }
    }
}

fn zeros(count: usize) -> Vec<AtomicU32> {
    let zeros = (0..count).into_par_iter().map(|_| AtomicU32::new(0));
    zeros.collect()
}

/// Calls `body` with each vertex; one thread goes through a chunk.
fn for_all(vertices: usize, body: impl Fn(u32) + Sync) {
    let chunks = (0..vertices.div_ceil(CHUNK)).into_par_iter();
    chunks.for_each(|chunk| {
        let end = vertices.min((chunk + 1) * CHUNK);
        ((chunk * CHUNK) as u32..end as u32).for_each(&body);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against a plain loop, with edges within chunks and across them, some of them twice.
    #[test]
    fn edges_lead_where_a_plain_loop_says() {
        let vertices = 3 * CHUNK + 77;
        let targets = |v: u32| {
            let near = v / 2 * 2;
            let far = (v as usize * 7919 % vertices) as u32;
            [near, far, far].into_iter().take(v as usize % 4)
        };
        let mut expected = vec![Vec::new(); vertices];
        for v in 0..vertices as u32 {
            for (i, u) in (0u32..).zip(targets(v)) {
                expected[u as usize].push(v << 2 | i);
            }
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build();
        let found = pool.unwrap().install(|| {
            Transpose::new(vertices, |v| {
                (0u32..).zip(targets(v)).map(move |(i, u)| (u, v << 2 | i))
            })
        });
        for (u, expected) in expected.iter().enumerate() {
            let range = found.offsets[u] as usize..found.offsets[u + 1] as usize;
            let mut entries = found.entries[range].to_vec();
            entries.sort_unstable();
            assert_eq!(entries, *expected);
        }
    }
}
