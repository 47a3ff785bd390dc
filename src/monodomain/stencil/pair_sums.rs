//! Σ_j k_ij (u_j − u_i) over the weights of [`Pairs`]: of rows, and of listed blocks.

use std::ops::Range;

use super::pairs::{Pairs, Present};
use super::{Diffuse, DiffuseBlock, beside};
use crate::monodomain::kernel::{self, load};
use crate::monodomain::layout::{Aligned, LANES};
use crate::real::{Arithmetic, Float};

impl<T: Float> Pairs<T> {
    /// The stencil of some of the pairs.
    #[inline(always)]
    pub fn some(&self, pairs: Range<usize>) -> Few<'_, T> {
        Few {
            offsets: &self.offsets[pairs.clone()],
            weights: &self.weights[pairs],
        }
    }

    #[inline(always)]
    pub fn diffuse<A: Arithmetic, const W: usize>(
        &self,
        u: &[T],
        cells: Range<usize>,
        out: &mut [T],
    ) {
        match self.offsets.len() {
            1 => self.sum::<A, W, 4>(0, u, cells, out),
            2 => self.sum::<A, W, 8>(0, u, cells, out),
            3 => self.sum::<A, W, 12>(0, u, cells, out),
            4 => self.sum::<A, W, 16>(0, u, cells, out),
            count => {
                for first in (0..count).step_by(at_once(count)) {
                    self.sum::<A, W, 12>(first, u, cells.clone(), out);
                }
            }
        }
    }

    /// The sum over N/4 pairs from `first`, added to `out` unless that is 0.
    #[inline(always)]
    fn sum<A: Arithmetic, const W: usize, const N: usize>(
        &self,
        first: usize,
        u: &[T],
        cells: Range<usize>,
        out: &mut [T],
    ) {
        let few = self.some(first..first + N / 4);
        kernel::diffuse::<A, T, _, W, N>(&few, first > 0, u, cells, out);
    }
}

/// Some of the pairs.
pub struct Few<'a, T> {
    offsets: &'a [isize],
    weights: &'a [Aligned<T>],
}

/// Of each pair the u ahead and its weight, the u behind and its weight.
impl<T: Float, const N: usize> Diffuse<T, N> for Few<'_, T> {
    #[inline(always)]
    fn sources<'a>(&'a self, u: &'a [T], cells: &Range<usize>) -> [&'a [T]; N] {
        let mut sources = [&u[..0]; N];
        for p in 0..N / 4 {
            let (offset, k) = (self.offsets[p], &self.weights[p][..]);
            sources[4 * p] = beside(u, cells, offset);
            sources[4 * p + 1] = beside(k, cells, 0);
            sources[4 * p + 2] = beside(u, cells, -offset);
            sources[4 * p + 3] = beside(k, cells, -offset);
        }
        sources
    }

    #[inline(always)]
    fn at<A: Arithmetic>(&self, u: T, values: [T; N]) -> T {
        let mut sum = T::from_f64(0.0);
        for p in 0..N / 4 {
            let beside = [values[4 * p], values[4 * p + 2]];
            let k = [values[4 * p + 1], values[4 * p + 3]];
            sum = sum + pair::<A, T>(u, beside, k);
        }
        sum
    }
}

/// Pairs across faces in tissue of one D, `P` axes: each has the weight of its axis or none. In the
/// order of [`Few`]: to the last bit the same.
pub struct Cut<'a, T, const P: usize> {
    offsets: [isize; P],
    weights: [T; P],
    /// Of each block.
    present: &'a [Present],
}

impl<'a, T: Float, const P: usize> Cut<'a, T, P> {
    /// `weights` of each axis, as of [`Pairs::of_one_medium`]; `present` of listed blocks.
    pub fn new(pairs: &Pairs<T>, weights: &[T], present: &'a [Present]) -> Self {
        Self {
            offsets: std::array::from_fn(|p| pairs.offsets[p]),
            weights: std::array::from_fn(|p| weights[p]),
            present,
        }
    }
}

impl<T: Float, const P: usize> DiffuseBlock<T> for Cut<'_, T, P> {
    fn reach(&self) -> usize {
        furthest(&self.offsets)
    }

    fn covers(&self, blocks: usize) -> bool {
        self.present.len() >= blocks
    }

    #[inline(always)]
    unsafe fn block<A: Arithmetic, const W: usize>(
        &self,
        u: &[T],
        (number, first): (usize, usize),
        at: usize,
        here: &[T; W],
    ) -> [T; W] {
        // SAFETY: as the caller says.
        let present = unsafe { self.present.get_unchecked(number) };
        let zero = T::from_f64(0.0);
        let mut sum = [zero; W];
        let axes = self.offsets.iter().zip(&self.weights).zip(present);
        for ((&offset, &k), [bits_ahead, bits_behind]) in axes {
            // SAFETY: as the caller says.
            let (ahead, behind) = unsafe {
                (
                    load::<T, W>(u, at.wrapping_add_signed(offset)),
                    load::<T, W>(u, at.wrapping_add_signed(-offset)),
                )
            };
            let (bits_ahead, bits_behind) = (bits_ahead >> first, bits_behind >> first);
            for i in 0..W {
                let k_ahead = if bits_ahead & (1 << i) != 0 { k } else { zero };
                let k_behind = if bits_behind & (1 << i) != 0 { k } else { zero };
                let beside = [ahead[i], behind[i]];
                sum[i] = sum[i] + pair::<A, T>(here[i], beside, [k_ahead, k_behind]);
            }
        }
        sum
    }
}

/// All pairs, their weights block by block in the order of the list: of each pair those ahead, then
/// those behind. Twice the numbers, but in one stream; in [`Pairs`] they lie in many places.
pub struct Streamed<'a, T> {
    pairs: &'a Pairs<T>,
    weights: &'a [T],
}

impl<'a, T: Float> Streamed<'a, T> {
    /// `weights` of listed blocks, as of [`Pairs::of_block`].
    pub fn new(pairs: &'a Pairs<T>, weights: &'a [T]) -> Self {
        Self { pairs, weights }
    }
}

impl<T: Float> DiffuseBlock<T> for Streamed<'_, T> {
    fn reach(&self) -> usize {
        furthest(&self.pairs.offsets)
    }

    fn covers(&self, blocks: usize) -> bool {
        self.weights.len() >= blocks * self.pairs.per_block()
    }

    #[inline(always)]
    unsafe fn block<A: Arithmetic, const W: usize>(
        &self,
        u: &[T],
        (number, first): (usize, usize),
        at: usize,
        here: &[T; W],
    ) -> [T; W] {
        let zero = T::from_f64(0.0);
        let mut sum = [zero; W];
        let offsets = &self.pairs.offsets;
        let mut weights = number * self.pairs.per_block() + first;
        for offsets in offsets.chunks(at_once(offsets.len())) {
            let mut some = [zero; W];
            for &offset in offsets {
                // SAFETY: as the caller says.
                let (ahead, behind, k_ahead, k_behind) = unsafe {
                    (
                        load::<T, W>(u, at.wrapping_add_signed(offset)),
                        load::<T, W>(u, at.wrapping_add_signed(-offset)),
                        load::<T, W>(self.weights, weights),
                        load::<T, W>(self.weights, weights + LANES),
                    )
                };
                weights += 2 * LANES;
                for i in 0..W {
                    let k = [k_ahead[i], k_behind[i]];
                    some[i] = some[i] + pair::<A, T>(here[i], [ahead[i], behind[i]], k);
                }
            }
            for i in 0..W {
                sum[i] = sum[i] + some[i];
            }
        }
        sum
    }
}

/// Pairs that are summed before they are added to those before: few enough that sums and addresses
/// stay in registers.
const fn at_once(pairs: usize) -> usize {
    match pairs {
        // A single cell has none.
        0 => 1,
        1..=4 => pairs,
        _ => 3,
    }
}

fn furthest(offsets: &[isize]) -> usize {
    offsets.iter().map(|o| o.unsigned_abs()).max().unwrap_or(0)
}

/// k₁ (u₁ − u) + k₂ (u₂ − u): pairs are summed one by one, so that no sum waits for the one before.
#[inline(always)]
fn pair<A: Arithmetic, T: Float>(u: T, beside: [T; 2], k: [T; 2]) -> T {
    A::mul_add(k[0], beside[0] - u, k[1] * (beside[1] - u))
}
