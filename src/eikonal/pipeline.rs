//! Many tetrahedra through the local solver: the inner loop of the forward solver.
//!
//! Corners that cannot come below their limit are skipped ([`screen`](super::screen)); the others
//! are solved ([`local_solves`](super::local_solves)).

use super::block::LANES;
use super::local_solves::LocalSolves;
use super::metric_mesh::{Incidence, MetricMesh};
use super::screen::Screen;
use super::simd::Kernels;
use crate::real::Real;
use crate::simd::prefetch;

/// Corners ahead for which memory is asked for.
const AHEAD: usize = 48;

/// Where tetrahedra and times come from.
#[derive(Clone, Copy)]
pub struct Source<'a, T: Real> {
    pub mesh: &'a MetricMesh<T>,
    pub inv_gamma: &'a [T],
    /// Time of each vertex, negated where it is news.
    pub times: &'a [T::Shared],
    /// Vertices below this number are to be solved.
    pub asked: usize,
}

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

    /// Takes in the tetrahedra whose first vertex with news is at one of the `corners`, to be solved
    /// for what their vertices with news bring: of a list of all corners around such vertices each
    /// tetrahedron is taken once.
    pub fn push(&mut self, source: &Source<T>, corners: &[Incidence]) {
        let mesh = source.mesh;
        let ask_for = |corner: &Incidence| prefetch(&mesh.tetrahedra, (corner >> 2) as usize);
        corners.iter().take(AHEAD).for_each(ask_for);
        for (i, register) in corners.chunks(LANES).enumerate() {
            let ahead = corners.iter().skip(LANES * i + AHEAD);
            ahead.take(LANES).for_each(ask_for);
            self.screen.take(self.kernels.level(), source, register);
            if self.screen.is_full() {
                self.flush_screen();
            }
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
