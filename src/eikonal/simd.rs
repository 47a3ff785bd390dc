//! The block kernels compiled for each SIMD level, chosen once at run time.

use super::block::Block;
use super::edges::Edges;
use super::screen::Screen;
use super::stencils::Stencils;
use crate::real::Real;
use crate::simd::SimdLevel;

/// The skip test and the stages of local solves, at one SIMD level.
#[derive(Debug, Clone, Copy)]
pub struct Kernels<T: Real> {
    level: SimdLevel,
    number: std::marker::PhantomData<T>,
}

impl<T: Real> Kernels<T> {
    /// Kernels of the best level of this machine.
    pub fn detect() -> Self {
        Self::at(SimdLevel::detect())
    }

    /// Kernels of a level, which this machine must have.
    pub(super) fn at(level: SimdLevel) -> Self {
        Self {
            level,
            number: std::marker::PhantomData,
        }
    }

    /// The level.
    #[inline(always)]
    pub fn level(&self) -> SimdLevel {
        self.level
    }

    /// [`Block::solve_interior`].
    #[inline]
    pub fn interior(&self, block: &mut Block<T>) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { interior_avx512(block) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { interior_avx2(block) },
            _ => block.solve_interior(),
        }
    }

    /// [`Screen::test`].
    #[inline]
    pub fn screen(&self, screen: &mut Screen<T>, slack: T) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { screen_avx512(screen, slack) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { screen_avx2(screen, slack) },
            _ => screen.test(slack),
        }
    }

    /// [`Edges::solve`].
    #[inline]
    pub fn edges(&self, edges: &mut Edges<T>) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { edges_avx512(edges) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { edges_avx2(edges) },
            _ => edges.solve(),
        }
    }

    /// [`Stencils::solve`].
    #[inline]
    pub(super) fn stencils(&self, stencils: &mut Stencils<T>) {
        match self.level {
            // SAFETY: the level was detected on this machine.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => unsafe { stencils_avx512(stencils) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => unsafe { stencils_avx2(stencils) },
            _ => stencils.solve(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn interior_avx512<T: Real>(block: &mut Block<T>) {
    block.solve_interior();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn stencils_avx512<T: Real>(stencils: &mut Stencils<T>) {
    stencils.solve();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn interior_avx2<T: Real>(block: &mut Block<T>) {
    block.solve_interior();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn stencils_avx2<T: Real>(stencils: &mut Stencils<T>) {
    stencils.solve();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn screen_avx512<T: Real>(screen: &mut Screen<T>, slack: T) {
    screen.test(slack);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn screen_avx2<T: Real>(screen: &mut Screen<T>, slack: T) {
    screen.test(slack);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq")]
fn edges_avx512<T: Real>(edges: &mut Edges<T>) {
    edges.solve();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn edges_avx2<T: Real>(edges: &mut Edges<T>) {
    edges.solve();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eikonal::local_solver::{Corner, Stencil, arrival, interior, stencil};
    use rand::{Rng, SeedableRng};

    /// Random corners, from a Gram matrix each, with faces of all kinds.
    fn corners(count: usize) -> Vec<([f64; 6], [f64; 3])> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        (0..count)
            .map(|i| {
                let x: [[f64; 3]; 4] = [0; 4].map(|_| [0; 3].map(|_| rng.random_range(-1.0..1.0)));
                let l = |i: usize, j: usize| (0..3).map(|k| (x[i][k] - x[j][k]).powi(2)).sum();
                let lengths = [l(0, 1), l(0, 2), l(1, 2), l(0, 3), l(1, 3), l(2, 3)];
                let base = [0.0, 40.0, -2.0][i % 3];
                let mut phi = [0; 3].map(|_| base + 0.6 * rng.random::<f64>());
                if i % 5 == 0 {
                    phi = [phi[0]; 3];
                }
                if i % 7 == 0 {
                    phi[i % 3] = f64::INFINITY;
                }
                (lengths, phi)
            })
            .collect()
    }

    /// Every level that this machine has gives the bits of one local solve after the other.
    fn check<T: Real>(level: SimdLevel) {
        let kernels = Kernels::<T>::at(level);
        let mut interiors = 0;
        for (round, batch) in corners(6000).chunks(64).enumerate() {
            // Blocks of every fill.
            let batch = &batch[..64.min(batch.len()).min(1 + 5 * round)];
            let mut first = Block::<T>::default();
            let mut whole = Stencils::<T>::at(kernels);
            let bits = |x: T| x.value().to_bits();
            let check = |_, corner: &Corner<T>, at: &Stencil<T>| {
                let alone = stencil(corner);
                assert_eq!(bits(at.phi), bits(arrival(corner)));
                assert_eq!(bits(at.phi), bits(alone.phi));
                assert_eq!(at.lambda.map(bits), alone.lambda.map(bits));
                assert_eq!(bits(at.s), bits(alone.s));
            };
            for (i, (lengths, phi)) in (0u32..).zip(batch) {
                first.push(
                    lengths.map(T::from_f64),
                    phi.map(T::from_f64),
                    i,
                    T::from_f64(f64::INFINITY),
                );
                whole.push(i, &first.corner(i as usize), check);
            }
            whole.finish(check);
            kernels.interior(&mut first);
            let mut edges = Edges::<T>::default();
            let mut on_edges = vec![f64::INFINITY; first.len()];
            for e in 0..3 {
                match e {
                    0 => first.append_edges::<0>(level, first.count_edges::<0>(level), &mut edges),
                    1 => first.append_edges::<1>(level, first.count_edges::<1>(level), &mut edges),
                    _ => first.append_edges::<2>(level, first.count_edges::<2>(level), &mut edges),
                }
                kernels.edges(&mut edges);
                for e in 0..edges.len() {
                    let best = &mut on_edges[edges.label[e] as usize];
                    *best = best.min(edges.arrival[e].value());
                }
                edges.clear();
            }
            for (i, (lengths, phi)) in batch.iter().enumerate() {
                let [l12, l13, l23, l14, l24, l34] = lengths.map(T::from_f64);
                let phi = phi.map(T::from_f64);
                let corner = Corner {
                    l12,
                    l13,
                    l23,
                    l14,
                    l24,
                    l34,
                    phi,
                };
                let inner = interior(&corner);
                if inner.valid {
                    interiors += 1;
                    assert_eq!(bits(first.arrival[i]), bits(arrival(&corner)));
                } else {
                    assert_eq!(first.arrival[i].value(), f64::INFINITY);
                    // The edges that the first stage asks for hold the solution.
                    let (found, expected) = (on_edges[i], arrival(&corner).value());
                    assert!(
                        found == expected
                            || (found - expected).abs() <= 16.0 * T::EPSILON * expected.abs(),
                        "{found:e} on the edges, {expected:e} on the whole boundary"
                    );
                }
            }
        }
        assert!(interiors > 200);
    }

    #[test]
    fn blocks_have_the_bits_of_single_solves() {
        let best = SimdLevel::best();
        let mut levels = vec![SimdLevel::Baseline];
        if best != SimdLevel::Baseline {
            levels.push(SimdLevel::Avx2);
        }
        if best == SimdLevel::Avx512 {
            levels.push(SimdLevel::Avx512);
        }
        println!("{levels:?}");
        for level in levels {
            check::<f64>(level);
            check::<f32>(level);
            check::<crate::eikonal::dual::Dual<3>>(level);
        }
    }
}
