//! The inner loops: one row, one step. Plain Rust, a block of `W` cells at a time.
//!
//! A block is copied to local arrays and back, and one loop over its cells does all of the step: so
//! the compiler knows that nothing overlaps, and makes each array a register.

use std::ops::Range;

use super::layout::LANES;
use super::spans::Blocks;
use super::stencil::{Diffuse, DiffuseBlock, length};
use crate::ionic::Kinetics;
use crate::real::{Arithmetic, Float};
use crate::simd::prefetch;

/// u + Δt ∇·(D∇u) − Δt J_ion, and the gates, of the `cells` of a row: their positions in the arrays,
/// whole blocks.
#[inline(always)]
pub fn react<A, T, K, D, const W: usize, const G: usize, const N: usize>(
    kinetics: K,
    diffuse: &D,
    cells: Range<usize>,
    u: &[T],
    new: &mut [T],
    gates: &mut [&mut [T]; G],
) where
    A: Arithmetic,
    T: Float,
    K: Kinetics<T, G>,
    D: Diffuse<T, N>,
{
    let count = length(&cells) / W;
    let sources = all_blocks::<T, W, N>(diffuse.sources(u, &cells), count);
    let gates = gates
        .each_mut()
        .map(|gate| blocks_mut::<T, W>(&mut gate[cells.clone()], count));
    let u = blocks::<T, W>(&u[cells.clone()], count);
    let new = blocks_mut::<T, W>(&mut new[cells], count);
    let zero = T::from_f64(0.0);
    for block in 0..count {
        let u = u[block];
        let (mut source, mut gate) = ([[zero; W]; N], [[zero; W]; G]);
        for k in 0..N {
            source[k] = sources[k][block];
        }
        for k in 0..G {
            gate[k] = gates[k][block];
        }
        let mut next = [zero; W];
        for i in 0..W {
            let diffusion = diffuse.at::<A>(u[i], cell(&source, i));
            let (du, after) = kinetics.step::<A>(u[i], cell(&gate, i));
            next[i] = u[i] + (diffusion + du);
            for k in 0..G {
                gate[k][i] = after[k];
            }
        }
        new[block] = next;
        for k in 0..G {
            gates[k][block] = gate[k];
        }
    }
}

/// Blocks between the one that is asked for and the one that is computed.
const AHEAD: usize = 6;

/// The same of blocks anywhere in the arrays. Rows of masked tissue end before the processor has
/// seen that they are rows, so what comes next is asked for.
#[inline(always)]
pub fn react_blocks<A, T, K, D, const W: usize, const G: usize>(
    kinetics: K,
    diffuse: &D,
    blocks: Blocks,
    u: &[T],
    new: &mut [T],
    gates: &mut [&mut [T]; G],
) where
    A: Arithmetic,
    T: Float,
    K: Kinetics<T, G>,
    D: DiffuseBlock<T>,
{
    let end = blocks.end();
    let whole = u.len() >= end && new.len() >= end && gates.iter().all(|gate| gate.len() >= end);
    assert!(whole && diffuse.covers(blocks.count()) && diffuse.reach() <= blocks.margin());
    let zero = T::from_f64(0.0);
    for (number, block) in blocks.into_iter().enumerate() {
        let soon = blocks.get(number + AHEAD);
        for first in (0..LANES).step_by(W) {
            if let Some(soon) = soon {
                // Of the neighbours those that no block before has read.
                prefetch(u, soon + first + diffuse.reach());
                prefetch(new, soon + first);
                for gate in gates.iter() {
                    prefetch(gate, soon + first);
                }
            }
            let at = block + first;
            // SAFETY: a block, and the values within `margin` of it, lie within `end`, hence within
            // all arrays.
            let (u, diffusion, mut gate) = unsafe {
                let here = load::<T, W>(u, at);
                let diffusion = diffuse.block::<A, W>(u, (number, first), at, &here);
                let mut gate = [[zero; W]; G];
                for k in 0..G {
                    gate[k] = load(gates[k], at);
                }
                (here, diffusion, gate)
            };
            let mut next = [zero; W];
            for i in 0..W {
                let (du, after) = kinetics.step::<A>(u[i], cell(&gate, i));
                next[i] = u[i] + (diffusion[i] + du);
                for k in 0..G {
                    gate[k][i] = after[k];
                }
            }
            // SAFETY: as above.
            unsafe {
                store(new, at, next);
                for k in 0..G {
                    store(gates[k], at, gate[k]);
                }
            }
        }
    }
}

/// The `W` values from a position.
///
/// # Safety
/// They lie within `values`.
#[inline(always)]
pub unsafe fn load<T: Copy, const W: usize>(values: &[T], at: usize) -> [T; W] {
    debug_assert!(at + W <= values.len());
    // SAFETY: said above; an array is aligned as its elements.
    unsafe { *values.as_ptr().add(at).cast() }
}

/// Writes `W` values from a position on.
///
/// # Safety
/// They lie within `values`.
#[inline(always)]
unsafe fn store<T: Copy, const W: usize>(values: &mut [T], at: usize, block: [T; W]) {
    debug_assert!(at + W <= values.len());
    // SAFETY: as for `load`.
    unsafe { *values.as_mut_ptr().add(at).cast() = block }
}

/// Δt ∇·(D∇u) of the `cells` of a row, as for [`react`]; `add`ed to `out` or instead of it.
#[inline(always)]
pub fn diffuse<A, T, D, const W: usize, const N: usize>(
    diffuse: &D,
    add: bool,
    u: &[T],
    cells: Range<usize>,
    out: &mut [T],
) where
    A: Arithmetic,
    T: Float,
    D: Diffuse<T, N>,
{
    let count = length(&cells) / W;
    let sources = all_blocks::<T, W, N>(diffuse.sources(u, &cells), count);
    let (u, out) = (
        blocks::<T, W>(&u[cells], count),
        blocks_mut::<T, W>(out, count),
    );
    let zero = T::from_f64(0.0);
    for block in 0..count {
        let u = u[block];
        let mut source = [[zero; W]; N];
        for k in 0..N {
            source[k] = sources[k][block];
        }
        let mut sum = if add { out[block] } else { [zero; W] };
        for i in 0..W {
            sum[i] = sum[i] + diffuse.at::<A>(u[i], cell(&source, i));
        }
        out[block] = sum;
    }
}

/// The first `count` blocks of `W` values: all slices cut to one count, none is checked again.
#[inline(always)]
fn blocks<T, const W: usize>(values: &[T], count: usize) -> &[[T; W]] {
    &values.as_chunks().0[..count]
}

/// The same of several.
#[inline(always)]
fn all_blocks<T, const W: usize, const N: usize>(rows: [&[T]; N], count: usize) -> [&[[T; W]]; N] {
    let mut all: [&[[T; W]]; N] = [&[]; N];
    for k in 0..N {
        all[k] = blocks(rows[k], count);
    }
    all
}

/// The same, to be written.
#[inline(always)]
fn blocks_mut<T, const W: usize>(values: &mut [T], count: usize) -> &mut [[T; W]] {
    &mut values.as_chunks_mut().0[..count]
}

/// Cell `i` of each array.
#[inline(always)]
fn cell<T: Float, const W: usize, const N: usize>(arrays: &[[T; W]; N], i: usize) -> [T; N] {
    let mut values = [T::from_f64(0.0); N];
    for k in 0..N {
        values[k] = arrays[k][i];
    }
    values
}

/// [`react`] where the parameter set changes from cell to cell: `region` is its number in
/// `kinetics`.
#[inline(always)]
pub fn react_mixed<A, T, K, const G: usize>(
    kinetics: &[K],
    region: &[u8],
    u: &[T],
    new: &mut [T],
    mut gates: [&mut [T]; G],
    diffusion: &[T],
) where
    A: Arithmetic,
    T: Float,
    K: Kinetics<T, G>,
{
    for (i, set) in region.iter().enumerate() {
        let gate = std::array::from_fn(|k| gates[k][i]);
        let (du, after) = kinetics[*set as usize].step::<A>(u[i], gate);
        new[i] = u[i] + (diffusion[i] + du);
        for (gate, after) in gates.iter_mut().zip(after) {
            gate[i] = after;
        }
    }
}

/// The mean of two states, in the first.
#[inline(always)]
pub fn mean<T: Float>(values: &mut [T], others: &[T]) {
    let half = T::from_f64(0.5);
    for (value, other) in values.iter_mut().zip(others) {
        *value = half * (*value + *other);
    }
}
