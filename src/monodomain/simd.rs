//! The kernels compiled for each SIMD level.
//!
//! Plain Rust, vectorised by the compiler. AVX2 and AVX-512 round a·b + c once, the baseline twice;
//! within a level all cells see the same operations, wherever they lie.

use std::ops::Range;

use super::activation::Upstrokes;
use super::kernel;
use super::layout::{LANES, Layout};
use super::spans::Blocks;
use super::stencil::{Diffuse, DiffuseBlock, Row, Stencil};
use super::sweep::{Block, advance};
use super::tile::Tile;
use crate::ionic::Kinetics;
#[cfg(target_arch = "x86_64")]
use crate::real::Fused;
use crate::real::{Float, Separate};
use crate::simd::SimdLevel;

/// [`advance`] at a level that this machine has.
pub fn advance_at<T: Float, K: Kinetics<T, G>, const G: usize>(
    level: SimdLevel,
    tile: &mut Tile<T, G>,
    kinetics: &[K],
    block: &Block,
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => advance::<Avx512, T, K, G>(tile, kinetics, block),
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => advance::<Avx2, T, K, G>(tile, kinetics, block),
        _ => advance::<Baseline, T, K, G>(tile, kinetics, block),
    }
}

/// The kernels of one level.
pub trait Kernels {
    /// [`kernel::react`] of `pieces` of rows. `kinetics` is copied, as constants behind a reference
    /// would become gathers; they are loaded once for all pieces.
    fn react<T: Float, K: Kinetics<T, G>, D: Diffuse<T, N>, const G: usize, const N: usize>(
        kinetics: &K,
        pieces: impl Iterator<Item = (D, Range<usize>)>,
        u: &[T],
        new: &mut [T],
        gates: &mut [&mut [T]; G],
    );

    /// [`kernel::react_blocks`].
    fn react_blocks<T: Float, K: Kinetics<T, G>, D: DiffuseBlock<T>, const G: usize>(
        kinetics: &K,
        diffuse: &D,
        blocks: Blocks,
        u: &[T],
        new: &mut [T],
        gates: &mut [&mut [T]; G],
    );

    /// [`kernel::react_mixed`].
    fn react_mixed<T: Float, K: Kinetics<T, G>, const G: usize>(
        kinetics: &[K],
        region: &[u8],
        u: &[T],
        new: &mut [T],
        gates: [&mut [T]; G],
        diffusion: &[T],
    );

    /// [`Stencil::diffuse`] of `parts` of rows, one after the other in `out`.
    fn diffuse<T: Float>(
        stencil: &Stencil<T>,
        layout: &Layout,
        u: &[T],
        parts: impl Iterator<Item = (Row, (isize, isize))>,
        out: &mut [T],
    );

    /// [`Upstrokes::observe`].
    fn observe<T: Float>(
        upstrokes: &mut Upstrokes,
        first: usize,
        old: &[T],
        new: &[T],
        time: f64,
        dt: f64,
    );
}

/// A function whose body is compiled for the instructions of a level, apart from its caller.
macro_rules! compiled {
    (
        [$($features:literal)?]
        fn $name:ident[$($generics:tt)*]($($argument:ident: $kind:ty),* $(,)?) $body:block
    ) => {
        #[inline(always)]
        fn $name<$($generics)*>($($argument: $kind),*) {
            $(#[target_feature(enable = $features)])?
            #[inline(never)]
            fn compiled<$($generics)*>($($argument: $kind),*) $body
            // SAFETY: levels come from `SimdLevel::detect`, which found the instructions.
            #[allow(unused_unsafe)]
            unsafe {
                compiled($($argument),*)
            }
        }
    };
}

/// A level: its name, its arithmetic, its instructions, and the cells of a block for f32 and f64.
/// Short loops are unrolled by the compiler before it would vectorise them: where models are short
/// (one gate), and in stencils, blocks have [`LANES`] cells. The branches are decided at compile
/// time.
macro_rules! level {
    ($level:ident, $arithmetic:ty, [$($features:literal)?], $short:literal, $long:literal) => {
        enum $level {}

        impl Kernels for $level {
            compiled! {
                [$($features)?]
                fn react[T: Float, K: Kinetics<T, G>, D: Diffuse<T, N>, const G: usize, const N: usize](
                    kinetics: &K,
                    pieces: impl Iterator<Item = (D, Range<usize>)>,
                    u: &[T],
                    new: &mut [T],
                    gates: &mut [&mut [T]; G],
                ) {
                    let kinetics = *kinetics;
                    for (diffuse, cells) in pieces {
                        if G < 2 {
                            kernel::react::<$arithmetic, T, K, D, LANES, G, N>(
                                kinetics, &diffuse, cells, u, new, gates,
                            );
                        } else if size_of::<T>() == 4 {
                            kernel::react::<$arithmetic, T, K, D, $short, G, N>(
                                kinetics, &diffuse, cells, u, new, gates,
                            );
                        } else {
                            kernel::react::<$arithmetic, T, K, D, $long, G, N>(
                                kinetics, &diffuse, cells, u, new, gates,
                            );
                        }
                    }
                }
            }

            compiled! {
                [$($features)?]
                fn react_blocks[T: Float, K: Kinetics<T, G>, D: DiffuseBlock<T>, const G: usize](
                    kinetics: &K,
                    diffuse: &D,
                    blocks: Blocks,
                    u: &[T],
                    new: &mut [T],
                    gates: &mut [&mut [T]; G],
                ) {
                    let kinetics = *kinetics;
                    if G < 2 {
                        kernel::react_blocks::<$arithmetic, T, K, D, LANES, G>(
                            kinetics, diffuse, blocks, u, new, gates,
                        );
                    } else if size_of::<T>() == 4 {
                        kernel::react_blocks::<$arithmetic, T, K, D, $short, G>(
                            kinetics, diffuse, blocks, u, new, gates,
                        );
                    } else {
                        kernel::react_blocks::<$arithmetic, T, K, D, $long, G>(
                            kinetics, diffuse, blocks, u, new, gates,
                        );
                    }
                }
            }

            compiled! {
                [$($features)?]
                fn react_mixed[T: Float, K: Kinetics<T, G>, const G: usize](
                    kinetics: &[K],
                    region: &[u8],
                    u: &[T],
                    new: &mut [T],
                    gates: [&mut [T]; G],
                    diffusion: &[T],
                ) {
                    kernel::react_mixed::<$arithmetic, T, K, G>(
                        kinetics, region, u, new, gates, diffusion,
                    );
                }
            }

            compiled! {
                [$($features)?]
                fn diffuse[T: Float](
                    stencil: &Stencil<T>,
                    layout: &Layout,
                    u: &[T],
                    parts: impl Iterator<Item = (Row, (isize, isize))>,
                    out: &mut [T],
                ) {
                    let mut out = out;
                    for (row, columns) in parts {
                        let (here, rest) = out.split_at_mut((columns.1 - columns.0) as usize);
                        stencil.diffuse::<$arithmetic, LANES>(layout, u, &row, columns, here);
                        out = rest;
                    }
                }
            }

            compiled! {
                [$($features)?]
                fn observe[T: Float](
                    upstrokes: &mut Upstrokes,
                    first: usize,
                    old: &[T],
                    new: &[T],
                    time: f64,
                    dt: f64,
                ) {
                    upstrokes.observe(first, old, new, time, dt);
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
level!(Avx512, Fused, ["avx512f,avx512vl,avx512dq,fma"], 16, 8);
#[cfg(target_arch = "x86_64")]
level!(Avx2, Fused, ["avx2,fma"], 8, 8);
level!(Baseline, Separate, [], 8, 8);
