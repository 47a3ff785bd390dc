//! Many tetrahedra through the local solver: the inner loop of the forward solver.
//!
//! Corners that cannot come below their limit are skipped ([`screen`](super::screen)); the others
//! are solved ([`local_solves`](super::local_solves)).

use super::local_solves::LocalSolves;
use super::metric_mesh::{Incidence, Tetrahedron};
use super::screen::Screen;
use super::simd::Kernels;
use crate::real::Real;

/// The stages, with what is on its way through them.
pub struct Pipeline<T: Real> {
    kernels: Kernels<T>,
    screen: Box<Screen<T>>,
    solves: LocalSolves<T>,
    /// Solutions at w are of interest below (1 + slack) φ_w.
    slack: T,
}

impl<T: Real> Pipeline<T> {
    /// Looks for solutions below (1 + `slack`) φ_w at each corner w.
    pub fn new(slack: f64) -> Self {
        Self {
            kernels: Kernels::detect(),
            screen: Box::default(),
            solves: LocalSolves::default(),
            slack: T::from_f64(slack),
        }
    }

    /// Takes in tetrahedron `t`, to be solved at the corners `asked` for what the vertices
    /// `changed` bring (a bit each).
    #[inline(always)]
    pub fn push(
        &mut self,
        t: u32,
        tet: &Tetrahedron<T>,
        times: [T; 4],
        inv_gamma: T,
        changed: u8,
        asked: u8,
    ) {
        self.screen.push(t, tet, times, inv_gamma, changed, asked);
        if self.screen.is_full() {
            self.flush_screen();
        }
    }

    /// Solves what is on its way.
    pub fn finish(&mut self) {
        self.flush_screen();
        self.solves.finish();
    }

    /// Takes out the solutions found, with their corner, in order of the work.
    pub fn found(&mut self) -> impl Iterator<Item = (Incidence, T)> {
        self.solves.found()
    }

    /// Local solves made.
    pub fn local_solves(&self) -> u64 {
        self.solves.count
    }

    fn flush_screen(&mut self) {
        self.kernels.screen(&mut self.screen, self.slack);
        self.take_corner::<0>();
        self.take_corner::<1>();
        self.take_corner::<2>();
        self.take_corner::<3>();
        self.screen.clear();
    }

    /// Takes the tetrahedra that survive at corner `C` on to the local solves.
    fn take_corner<const C: usize>(&mut self) {
        let level = self.kernels.level();
        let count = self.screen.count::<C>(level);
        let block = self.solves.room_for(count);
        self.screen.append_corner::<C>(level, count, block);
    }
}
