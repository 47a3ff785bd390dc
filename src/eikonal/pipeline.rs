//! Many tetrahedra through the local solver: the inner loop of the forward solver.
//!
//! Corners that cannot come below their limit are skipped ([`screen`](super::screen)); of the
//! others, first the interior of the face is tried, then, where that can still help, its boundary.
//! Each stage collects a block for the next one, so that all of them are SIMD loops.

use super::block::{BLOCK, Block};
use super::metric_mesh::{Incidence, Tetrahedron};
use super::screen::{SCREEN, Screen};
use super::simd::Kernels;
use crate::real::Real;

/// The stages, with what is on its way through them.
pub struct Pipeline<T: Real> {
    kernels: Kernels<T>,
    screen: Box<Screen<T>>,
    interior: Box<Block<T>>,
    boundary: Box<Block<T>>,
    /// Solutions at w are of interest below (1 + slack) φ_w.
    slack: T,
    /// Solutions found, with their corner, in order of the work.
    pub found: Vec<(Incidence, T)>,
    /// Local solves made.
    pub local_solves: u64,
}

impl<T: Real> Pipeline<T> {
    /// Looks for solutions below (1 + `slack`) φ_w at each corner w.
    pub fn new(slack: f64) -> Self {
        Self {
            kernels: Kernels::detect(),
            screen: Box::default(),
            interior: Box::default(),
            boundary: Box::default(),
            slack: T::from_f64(slack),
            found: Vec::new(),
            local_solves: 0,
        }
    }

    /// Takes in tetrahedron `t`, to be solved at the corners `asked` (a bit each).
    #[inline(always)]
    pub fn push(&mut self, t: u32, tet: &Tetrahedron<T>, times: [T; 4], inv_gamma: T, asked: u8) {
        self.screen.push(t, tet, times, inv_gamma, asked);
        if self.screen.is_full() {
            self.flush_screen();
        }
    }

    /// Solves what is on its way.
    pub fn finish(&mut self) {
        self.flush_screen();
        self.flush_interior();
        self.flush_boundary();
    }

    fn flush_screen(&mut self) {
        self.kernels.screen(&mut self.screen, self.slack);
        let mut corners = [0; SCREEN];
        self.screen.survivors(&mut corners);
        self.take_corner::<0>(&corners);
        self.take_corner::<1>(&corners);
        self.take_corner::<2>(&corners);
        self.take_corner::<3>(&corners);
        self.screen.clear();
    }

    /// Takes the tetrahedra that survive at corner `C` on to the next stage.
    fn take_corner<const C: usize>(&mut self, corners: &[u8; SCREEN]) {
        let (list, count) = self.screen.with_corner(C, corners);
        if self.interior.room() < count {
            self.flush_interior();
        }
        let margin = T::from_f64(1.0) + self.slack;
        for i in &list[..count] {
            self.screen
                .push_corner::<C>(usize::from(*i), margin, &mut self.interior);
        }
    }

    fn flush_interior(&mut self) {
        self.kernels.interior(&mut self.interior);
        self.local_solves += self.interior.len() as u64;
        let (mut list, mut count) = ([0; BLOCK], 0);
        for i in 0..self.interior.len().min(BLOCK) {
            let (arrival, limit) = (self.interior.arrival[i], self.interior.limit[i]);
            if arrival < limit {
                self.found.push((self.interior.label[i], arrival));
            }
            let rest = (arrival.value() == f64::INFINITY) & (self.interior.bound[i] < limit);
            list[count % BLOCK] = i as u8;
            count += usize::from(rest);
        }
        if self.boundary.room() < count {
            self.flush_boundary();
        }
        for i in &list[..count] {
            self.boundary.push_from(&self.interior, usize::from(*i));
        }
        self.interior.clear();
    }

    fn flush_boundary(&mut self) {
        self.kernels.boundary(&mut self.boundary);
        for i in 0..self.boundary.len().min(BLOCK) {
            let arrival = self.boundary.arrival[i];
            if arrival < self.boundary.limit[i] {
                self.found.push((self.boundary.label[i], arrival));
            }
        }
        self.boundary.clear();
    }
}
