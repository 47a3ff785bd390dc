//! Local solves of which only those below a limit are of interest: first the interior of the face,
//! then, where it may help, the edges of its boundary. Each stage collects a block for the next
//! one, so that all of them are SIMD loops.

use super::block::{BLOCK, Block};
use super::edges::Edges;
use super::simd::Kernels;
use crate::real::Real;

/// The stages, with what is on its way through them.
pub struct LocalSolves<T: Real> {
    kernels: Kernels<T>,
    interior: Box<Block<T>>,
    edges: Box<Edges<T>>,
    /// Solutions below their limit, with their label.
    pub found: Vec<(u32, T)>,
    /// Local solves made.
    pub count: u64,
}

impl<T: Real> Default for LocalSolves<T> {
    fn default() -> Self {
        Self {
            kernels: Kernels::detect(),
            interior: Box::default(),
            edges: Box::default(),
            found: Vec::new(),
            count: 0,
        }
    }
}

impl<T: Real> LocalSolves<T> {
    /// The block for `count` more corners, at most [`BLOCK`].
    #[inline(always)]
    pub fn room_for(&mut self, count: usize) -> &mut Block<T> {
        if self.interior.room() < count {
            self.flush_interior();
        }
        &mut self.interior
    }

    /// Solves what is on its way.
    pub fn finish(&mut self) {
        self.flush_interior();
        self.flush_edges();
    }

    fn flush_interior(&mut self) {
        self.kernels.interior(&mut self.interior);
        self.count += self.interior.len() as u64;
        for i in 0..self.interior.len().min(BLOCK) {
            let arrival = self.interior.arrival[i];
            if arrival < self.interior.limit[i] {
                self.found.push((self.interior.label[i], arrival));
            }
        }
        let edges = self.interior.edges();
        self.take_edge::<0>(&edges);
        self.take_edge::<1>(&edges);
        self.take_edge::<2>(&edges);
        self.interior.clear();
    }

    /// Takes the corners to be tried on the edge opposite vertex `E` of their face on to the next
    /// stage.
    fn take_edge<const E: usize>(&mut self, edges: &[u8; BLOCK]) {
        if self.edges.room() < self.interior.asking::<E>(edges).count() {
            self.flush_edges();
        }
        let level = self.kernels.level();
        self.interior
            .append_edges::<E>(level, edges, &mut self.edges);
    }

    fn flush_edges(&mut self) {
        self.kernels.edges(&mut self.edges);
        for i in 0..self.edges.len() {
            let arrival = self.edges.arrival[i];
            if arrival < self.edges.limit[i] {
                self.found.push((self.edges.label[i], arrival));
            }
        }
        self.edges.clear();
    }
}
