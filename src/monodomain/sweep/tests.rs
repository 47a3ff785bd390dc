//! The kernels on one tile without neighbours.

use crate::ionic::fenton_karma::FentonKarma;
use crate::ionic::{GateStep, IonicModel, Kinetics};
use crate::monodomain::layout::{Aligned, Layout};
use crate::monodomain::simd::advance_at;
use crate::monodomain::spans::{BlockPairs, Masked, Spans};
use crate::monodomain::stencil::Stencil;
use crate::monodomain::stencil::pairs::{Medium, Pairs};
use crate::monodomain::stencil::uniform::Uniform;
use crate::monodomain::sweep::Block;
use crate::monodomain::tile::Tile;
use crate::real::{Arithmetic, Float};
use crate::simd::SimdLevel;

const STEPS_PER_BLOCK: usize = 4;

/// One D in a box, with a hole.
struct Medium3 {
    size: [usize; 3],
    d: [f64; 6],
    hole: bool,
}

impl Medium for Medium3 {
    fn diffusivity(&self, cell: [isize; 3]) -> Option<[f64; 6]> {
        let inside = (0..3).all(|a| (0..self.size[a] as isize).contains(&cell[a]));
        let hole = self.hole && (4..7).contains(&cell[0]) && (5..9).contains(&cell[2]);
        (inside && !hole).then_some(self.d)
    }
}

/// No reaction, no gates.
#[derive(Clone, Copy)]
struct Off;

impl<T: Float> Kinetics<T, 0> for Off {
    const TWIN: (&'static str, &'static str) = ("", "");

    fn words(&self) -> Vec<T> {
        Vec::new()
    }

    fn step<A: Arithmetic>(&self, _: T, gates: [T; 0]) -> (T, [T; 0]) {
        (T::from_f64(0.0), gates)
    }
}

/// A closed tile with u = 0.9 in a corner of 8 × 8 columns and layers, and gates of 1.
fn tile<T: Float, const G: usize>(layout: Layout, stencil: Stencil<T>) -> Tile<T, G> {
    let whole = |value: f64| Aligned::new(layout.len, T::from_f64(value));
    let mut tile = Tile {
        low: [0; 3],
        edges: [[Some(0); 2]; 3],
        stencil,
        spans: Spans::Whole,
        exchanged: None,
        u: [whole(0.0), whole(0.0)],
        now: 0,
        gates: std::array::from_fn(|_| whole(1.0)),
        begun: None,
        diffusion: Aligned::new(layout.row_stride, T::from_f64(0.0)),
        stimuli: Vec::new(),
        upstrokes: None,
        layout,
    };
    for layer in 0..8 {
        for row in 0..tile.layout.size[1] as isize {
            let start = tile.layout.index([layer, row, 0]);
            tile.u[0][start..start + 8].fill(T::from_f64(0.9));
        }
    }
    tile.mirror_columns();
    tile
}

fn uniform<T: Float, const G: usize>(size: [usize; 3]) -> Tile<T, G> {
    let weight = T::from_f64(0.1);
    let weights = Uniform {
        layers: weight,
        rows: (size[1] > 1).then_some(weight),
        columns: weight,
    };
    tile(Layout::new(size, [0; 3]), Stencil::Uniform(weights))
}

fn pairs<T: Float, const G: usize>(size: [usize; 3], d: [f64; 6], hole: bool) -> Tile<T, G> {
    let axes: &[usize] = if size[1] > 1 { &[0, 1, 2] } else { &[0, 2] };
    let layout = Layout::new(size, [1, usize::from(size[1] > 1), 1]);
    let medium = Medium3 { size, d, hole };
    let oblique = d[3..] != [0.0; 3];
    let pairs = Pairs::new(&layout, &medium, axes, oblique, [1.0; 3], 1.0);
    tile(layout, Stencil::Pairs(pairs))
}

fn run<T: Float, K: Kinetics<T, G>, const G: usize>(
    level: SimdLevel,
    tile: &mut Tile<T, G>,
    kinetics: K,
    steps: usize,
) {
    for first in (0..steps).step_by(STEPS_PER_BLOCK) {
        let block = Block {
            first: first as u64,
            dt: 0.02,
            stimuli: vec![Vec::new(); STEPS_PER_BLOCK],
            heun: false,
        };
        advance_at(level, tile, &[kinetics], &block);
    }
}

/// u of the owned cells.
fn owned<T: Float, const G: usize>(tile: &Tile<T, G>) -> Vec<f64> {
    let u = &tile.u[tile.now];
    let columns = tile.layout.size[2];
    let rows = tile.layout.owned_rows();
    let row = |start: usize| u[start..start + columns].iter().map(|u| u.value());
    rows.into_iter().flat_map(row).collect()
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

fn levels() -> impl Iterator<Item = SimdLevel> {
    // Declared from the best to the least.
    [SimdLevel::Avx512, SimdLevel::Avx2, SimdLevel::Baseline]
        .into_iter()
        .filter(|level| *level as u8 >= SimdLevel::best() as u8)
}

fn set_3<T: Float>() -> <FentonKarma as IonicModel<2>>::Kinetics<T> {
    let set = FentonKarma::SETS.iter().find(|(name, _)| *name == "3");
    set.unwrap().1.kinetics(0.02, GateStep::Explicit)
}

/// Largest difference of u to the baseline after 1000 steps (20 ms) with a front on its way.
fn spread<T: Float>(make: fn() -> Tile<T, 2>) -> f64 {
    let after = |level| {
        let mut tile = make();
        run(level, &mut tile, set_3::<T>(), 1000);
        owned(&tile)
    };
    let baseline = after(SimdLevel::Baseline);
    let front = baseline.iter().any(|u| *u > 0.5) && baseline.iter().any(|u| *u < 0.1);
    assert!(front, "no front in the tile after 1000 steps");
    let differences = levels().map(|level| difference(&after(level), &baseline));
    differences.fold(0.0, f64::max)
}

#[test]
fn levels_agree_over_1000_steps() {
    // 37 columns: the last block is cut by the edge.
    let planar = spread::<f64>(|| uniform([90, 1, 37]));
    let oblique = spread::<f64>(|| pairs([90, 1, 37], [0.1, 0.1, 0.1, 0.0, 0.03, 0.0], true));
    let single = spread::<f32>(|| uniform([90, 1, 37]));
    println!("{planar:e} {oblique:e} {single:e}");
    assert!(planar < 1e-12 && oblique < 1e-12, "{planar:e} {oblique:e}");
    assert!(single < 1e-3, "{single:e}");
}

#[test]
fn avx_levels_are_the_same_to_the_last_bit() {
    let mut fused = levels().filter(|level| *level != SimdLevel::Baseline);
    let (Some(a), Some(b)) = (fused.next(), fused.next()) else {
        println!("this machine has fewer than two levels with fused multiply-add: not compared");
        return;
    };
    let after = |level| {
        let mut tile = pairs::<f32, 2>([20, 11, 37], [0.1, 0.1, 0.1, 0.02, 0.03, 0.01], true);
        run(level, &mut tile, set_3::<f32>(), 200);
        owned(&tile)
    };
    assert_eq!(difference(&after(a), &after(b)), 0.0);
}

#[test]
fn pairs_of_one_isotropic_diffusivity_are_the_uniform_stencil() {
    for size in [[40, 1, 37], [20, 13, 37]] {
        for level in levels() {
            let mut a = uniform::<f64, 2>(size);
            let mut b = pairs::<f64, 2>(size, [0.1, 0.1, 0.1, 0.0, 0.0, 0.0], false);
            run(level, &mut a, set_3::<f64>(), 200);
            run(level, &mut b, set_3::<f64>(), 200);
            let difference = difference(&owned(&a), &owned(&b));
            assert!(difference < 1e-13, "{size:?} {level:?}: {difference:e}");
        }
    }
}

#[test]
fn listed_blocks_have_the_bits_of_whole_rows() {
    let oblique = [0.1, 0.1, 0.1, 0.02, 0.03, 0.01];
    let planar = [0.1, 0.0, 0.1, 0.0, 0.03, 0.0];
    for (size, d) in [
        ([20, 11, 37], [0.1, 0.12, 0.08, 0.0, 0.0, 0.0]),
        ([20, 11, 37], oblique),
        ([20, 1, 37], [0.1, 0.0, 0.08, 0.0, 0.0, 0.0]),
        ([20, 1, 37], planar),
    ] {
        let medium = Medium3 {
            size,
            d,
            hole: true,
        };
        for level in levels() {
            let mut whole = pairs::<f32, 2>(size, d, true);
            let mut listed = pairs::<f32, 2>(size, d, true);
            let region = |cell| medium.diffusivity(cell).map(|_| 0);
            let masked = Masked::new(&listed.layout, region, &listed.stencil);
            let streamed = matches!(masked.pairs, BlockPairs::Weights(_));
            assert_eq!(streamed, d[3..] != [0.0; 3]);
            listed.spans = Spans::Masked(Box::new(masked));
            run(level, &mut whole, set_3::<f32>(), 200);
            run(level, &mut listed, set_3::<f32>(), 200);
            // Whole rows step inactive cells as well: by themselves.
            let columns = 0..size[2] as isize;
            let cells = (0..size[0] as isize)
                .flat_map(|l| (0..size[1] as isize).map(move |r| [l, r]))
                .flat_map(|[l, r]| columns.clone().map(move |c| [l, r, c]))
                .filter(|cell| region(*cell).is_some());
            let (mut compared, mut excited) = (0, 0);
            for cell in cells {
                let at = whole.layout.index(cell);
                let [a, b] = [&whole, &listed].map(|tile| tile.u[tile.now][at]);
                assert_eq!(
                    a.to_bits(),
                    b.to_bits(),
                    "{size:?} {d:?} {level:?} {cell:?}"
                );
                compared += 1;
                excited += usize::from(a > 0.5);
            }
            assert!(excited > 20 && excited < compared);
        }
    }
}

#[test]
fn diffusion_conserves_u() {
    let oblique = [0.1, 0.12, 0.08, 0.02, 0.03, 0.01];
    let make = |case: usize| -> Tile<f64, 0> {
        match case {
            0 => uniform([40, 1, 37]),
            1 => uniform([20, 13, 37]),
            2 => pairs([40, 1, 37], [0.1, 0.0, 0.08, 0.0, 0.03, 0.0], true),
            _ => pairs([20, 13, 37], oblique, true),
        }
    };
    for level in levels() {
        for case in 0..4 {
            let mut tile = make(case);
            let before = owned(&tile);
            run(level, &mut tile, Off, 1000);
            let after = owned(&tile);
            let (sum, begun) = (after.iter().sum::<f64>(), before.iter().sum::<f64>());
            let error = (sum / begun - 1.0).abs();
            assert!(error < 1e-12, "case {case} {level:?}: {error:e}");
            assert!(difference(&after, &before) > 0.1, "nothing moved");
        }
    }
}
