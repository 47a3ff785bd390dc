//! Local solves of which only those below a limit are of interest: first the interior of the face,
//! then, where it may help, the edges of its boundary. Each stage collects a block for the next
//! one, so that all of them are SIMD loops.

use super::block::Block;
use super::edges::Edges;
use super::found::Found;
use super::simd::Kernels;
use crate::real::Real;

/// The stages, with what is on its way through them.
pub struct LocalSolves<T: Real> {
    kernels: Kernels<T>,
    interior: Box<Block<T>>,
    edges: Box<Edges<T>>,
    /// Solutions below their limit, with their label.
    found: Found<T>,
    /// Local solves made.
    pub count: u64,
}

impl<T: Real> Default for LocalSolves<T> {
    fn default() -> Self {
        Self {
            kernels: Kernels::detect(),
            interior: Box::default(),
            edges: Box::default(),
            found: Found::default(),
            count: 0,
        }
    }
}

impl<T: Real> LocalSolves<T> {
    /// The block for `count` more corners, at most [`BLOCK`](super::block::BLOCK).
    #[inline(always)]
    pub fn room_for(&mut self, count: usize) -> &mut Block<T> {
        if self.interior.room() < count {
            self.flush_interior();
        }
        &mut self.interior
    }

    /// Takes out the solutions found, with their label.
    pub fn found(&mut self) -> impl Iterator<Item = (u32, T)> {
        self.found.drain()
    }

    /// Solves what is on its way.
    pub fn finish(&mut self) {
        self.flush_interior();
        self.flush_edges();
    }

    fn flush_interior(&mut self) {
        self.kernels.interior(&mut self.interior);
        self.count += self.interior.len() as u64;
        self.interior
            .take_found(self.kernels.level(), &mut self.found);
        self.take_edge::<0>();
        self.take_edge::<1>();
        self.take_edge::<2>();
        self.interior.clear();
    }

    /// Takes the corners to be tried on the edge opposite vertex `E` of their face on to the next
    /// stage.
    fn take_edge<const E: usize>(&mut self) {
        let level = self.kernels.level();
        let count = self.interior.count_edges::<E>(level);
        if self.edges.room() < count {
            self.flush_edges();
        }
        self.interior
            .append_edges::<E>(level, count, &mut self.edges);
    }

    fn flush_edges(&mut self) {
        self.kernels.edges(&mut self.edges);
        self.edges.take_found(self.kernels.level(), &mut self.found);
        self.edges.clear();
    }
}
