//! The stencil of a tile on the device, as kernels take it.

use super::parameters::Place;
use crate::device::{Argument, Array, Device};
use crate::error::Result;
use crate::monodomain::layout::{LANES, Layout};
use crate::monodomain::spans::Spans;
use crate::monodomain::stencil::Stencil;
use crate::monodomain::tile::Tile;
use crate::real::Float;

/// The stencil with its arrays.
pub enum Scheme<T> {
    Uniform(Argument),
    Pairs {
        argument: Argument,
        blocks: Blocks,
        _weights: Vec<Array<T>>,
    },
    Cardiax {
        argument: Argument,
        blocks: Blocks,
        _tables: Vec<Array<T>>,
    },
}

/// Blocks of cells that are computed.
pub struct Blocks {
    pub places: Array<Place>,
    pub region: Option<Array<u8>>,
}

impl<T: Float> Scheme<T> {
    pub fn new<const G: usize>(on: &dyn Device, tile: &Tile<T, G>) -> Result<Self> {
        let layout = &tile.layout;
        match &tile.stencil {
            Stencil::Uniform(uniform) => {
                let zero = T::from_f64(0.0);
                let solid = T::from_f64(if uniform.rows.is_some() { 1.0 } else { 0.0 });
                let rows = uniform.rows.unwrap_or(zero);
                let words = [uniform.layers, rows, uniform.columns, solid];
                Ok(Scheme::Uniform(Argument::of(words)))
            }
            Stencil::Pairs(pairs) => {
                const MOST: usize = 9;
                let (mut weights, mut offsets) = (Vec::new(), [0i32; MOST]);
                for (p, (offset, values)) in pairs.all().enumerate() {
                    offsets[p] = offset as i32;
                    weights.push(Array::of(on, values)?);
                }
                let mut pointers = [0u64; MOST];
                for (pointer, weights) in pointers.iter_mut().zip(&weights) {
                    *pointer = weights.address(0);
                }
                let mut bytes = bytemuck::bytes_of(&pointers).to_vec();
                bytes.extend(bytemuck::bytes_of(&offsets));
                bytes.extend(bytemuck::bytes_of(&(weights.len() as i32)));
                Ok(Scheme::Pairs {
                    argument: Argument::from_bytes(&bytes),
                    blocks: Blocks::new(on, tile)?,
                    _weights: weights,
                })
            }
            Stencil::Cardiax(cardiax) => {
                let mut tables = Vec::new();
                for values in cardiax
                    .layer_weights()
                    .iter()
                    .chain(&cardiax.column_weights())
                {
                    tables.push(Array::of(on, values)?);
                }
                for values in cardiax.coefficients() {
                    tables.push(Array::of(on, values)?);
                }
                let pointers: Vec<u64> = tables.iter().map(|table| table.address(0)).collect();
                let numbers = [
                    -(layout.ghost[0] as i32),
                    layout.column(0) as i32,
                    layout.row_stride as i32,
                    0,
                ];
                let mut bytes = bytemuck::cast_slice(&pointers).to_vec();
                bytes.extend(bytemuck::bytes_of(&numbers));
                Ok(Scheme::Cardiax {
                    argument: Argument::from_bytes(&bytes),
                    blocks: Blocks::new(on, tile)?,
                    _tables: tables,
                })
            }
        }
    }
}

impl Blocks {
    fn new<T: Float, const G: usize>(on: &dyn Device, tile: &Tile<T, G>) -> Result<Self> {
        let layout = &tile.layout;
        let (cells, region) = match &tile.spans {
            Spans::Masked(masked) => (masked.all(), &masked.region[..]),
            Spans::Whole => (all_blocks(layout), &[][..]),
        };
        let places: Vec<Place> = cells.iter().map(|c| Place::new(layout, *c)).collect();
        Ok(Self {
            places: Array::of(on, &places)?,
            region: match region {
                [] => None,
                region => Some(Array::of(on, region)?),
            },
        })
    }
}

/// All blocks of a tile and its ghosts.
fn all_blocks(layout: &Layout) -> Vec<[isize; 3]> {
    let range = |a: usize| {
        let ghost = layout.ghost[a] as isize;
        -ghost..layout.size[a] as isize + ghost
    };
    let columns = range(2);
    let (low, high) = layout.whole_blocks(columns.start, columns.end);
    range(0)
        .flat_map(|l| {
            range(1).flat_map(move |r| (low..high).step_by(LANES).map(move |c| [l, r, c]))
        })
        .collect()
}
