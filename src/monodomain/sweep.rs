//! Several steps of one tile, as a wave over its layers.
//!
//! Level 1 takes the tile from step n to n + 1, level 2 on to n + 2, … When level 1 is at layer l,
//! level 2 is at l − reach, and so on, so that a layer stays in the cache for all levels. Of small
//! layers each level takes some at once, which changes nothing in that. Two copies of u alternate
//! between levels; gates are local and stay in place. Ghosts are computed as far as later levels
//! need them.

use std::ops::Range;

use super::activation::Upstrokes;
use super::kernel::mean;
use super::layout::{LANES, Layout};
use super::options::StimulusKind;
use super::simd::Kernels;
use super::spans::{BlockPairs, Masked, Spans};
use super::stencil::pair_sums::{Cut, Streamed};
use super::stencil::uniform::Solid;
use super::stencil::{Given, Row, Stencil};
use super::tile::{Applied, Edges, Tile, mirror_row};
use crate::ionic::Kinetics;
use crate::real::Float;

/// Cells that a level takes at once, where layers are small.
const ENOUGH: usize = 1024;

/// Steps that a tile advances at once.
#[derive(Debug, Clone)]
pub struct Block {
    /// Number of the first step.
    pub first: u64,
    /// Δt, ms.
    pub dt: f64,
    /// Numbers of the stimuli that are on, for each step.
    pub stimuli: Vec<Vec<usize>>,
    pub heun: bool,
}

impl Block {
    pub fn steps(&self) -> usize {
        self.stimuli.len()
    }

    /// When a step begins, ms.
    fn time(&self, step: usize) -> f64 {
        (self.first + step as u64) as f64 * self.dt
    }
}

/// Advances a tile by a block of steps.
pub fn advance<S: Kernels, T: Float, K: Kinetics<T, G>, const G: usize>(
    tile: &mut Tile<T, G>,
    kinetics: &[K],
    block: &Block,
) {
    if block.heun {
        for step in 0..block.steps() {
            heun::<S, T, K, G>(tile, kinetics, block, step);
        }
    } else {
        let steps: Vec<usize> = (0..block.steps()).collect();
        wave::<S, T, K, G>(tile, kinetics, block, &steps, true);
    }
}

/// Heun's method as the mean of the state and two Euler steps (Shu & Osher 1988).
fn heun<S: Kernels, T: Float, K: Kinetics<T, G>, const G: usize>(
    tile: &mut Tile<T, G>,
    kinetics: &[K],
    block: &Block,
    step: usize,
) {
    if let Some((u, gates)) = &mut tile.begun {
        u.copy_from_slice(&tile.u[tile.now]);
        for (begun, gate) in gates.iter_mut().zip(&tile.gates) {
            begun.copy_from_slice(gate);
        }
    }
    wave::<S, T, K, G>(tile, kinetics, block, &[step, step], false);
    let Some((u, gates)) = &tile.begun else {
        return;
    };
    mean(&mut tile.u[tile.now], u);
    for (gate, begun) in tile.gates.iter_mut().zip(gates) {
        mean(gate, begun);
    }
    for (number, stimulus) in &tile.stimuli {
        if stimulus.kind == StimulusKind::Voltage && block.stimuli[step].contains(number) {
            for &(row, low, high) in &stimulus.runs {
                let start = tile.layout.row_start(row);
                let at = |column: isize| (start as isize + column) as usize;
                tile.u[tile.now][at(low)..at(high)].fill(stimulus.value);
            }
        }
    }
    tile.mirror_columns();
    if let (Some(upstrokes), Some((old, _))) = (&mut tile.upstrokes, &tile.begun) {
        let [layers, rows, columns] = tile.layout.size;
        for layer in 0..layers {
            for row in 0..rows {
                let start = tile.layout.index([layer as isize, row as isize, 0]);
                let owned = start..start + columns;
                S::observe(
                    upstrokes,
                    tile.layout.owned_number(layer, row, 0),
                    &old[owned.clone()],
                    &tile.u[tile.now][owned],
                    block.time(step),
                    block.dt,
                );
            }
        }
    }
}

/// All levels of the wave, one for each of `steps` (of the block).
fn wave<S: Kernels, T: Float, K: Kinetics<T, G>, const G: usize>(
    tile: &mut Tile<T, G>,
    kinetics: &[K],
    block: &Block,
    steps: &[usize],
    record: bool,
) {
    let reach = tile.stencil.reach() as isize;
    let count = steps.len();
    let begun = tile.now;
    let layout = &tile.layout;
    // What the levels after this one still need beyond the owned cells.
    let margin = |number: usize| (count - 1 - number) as isize * reach;
    let extent = |axis: usize, number: usize| {
        let margin = margin(number);
        let ghosts = layout.ghost[axis] > 0;
        let [low, high] = tile.edges[axis].map(|edge| match edge {
            Some(beyond) => margin.min(beyond),
            None if ghosts => margin,
            None => 0,
        });
        (-low, layout.size[axis] as isize + high)
    };
    let level = |(number, &step): (usize, &usize)| {
        let (low, high) = extent(2, number);
        let on = |(id, _): &&(usize, Applied<T>)| block.stimuli[step].contains(id);
        Level {
            from: (begun + number) % 2,
            margin: margin(number),
            layers: extent(0, number),
            rows: extent(1, number),
            columns: layout.whole_blocks(low, high),
            stimuli: tile.stimuli.iter().filter(on).map(|(_, s)| s).collect(),
            record: record.then(|| (block.time(step), block.dt)),
        }
    };
    let levels: Vec<Level<T>> = steps.iter().enumerate().map(level).collect();
    let Some((first, last)) = levels.first().zip(levels.last()) else {
        return;
    };
    let from = first.layers.0;
    let to = last.layers.1.max(first.layers.1) + (count as isize - 1) * reach;
    let [a, b] = &mut tile.u;
    let mut arrays = Arrays {
        layout,
        edges: &tile.edges,
        stencil: &tile.stencil,
        spans: &tile.spans,
        u: [a, b],
        gates: tile.gates.each_mut().map(|gate| &mut gate[..]),
        diffusion: &mut tile.diffusion,
        upstrokes: tile.upstrokes.as_mut(),
    };
    let thickness = arrays.thickness(first);
    for front in (from..to).step_by(thickness) {
        for (number, level) in levels.iter().enumerate() {
            let layer = front - number as isize * reach;
            let low = layer.max(level.layers.0);
            let end = (layer + thickness as isize).min(level.layers.1);
            if low < end {
                arrays.step_layers::<S, K>(kinetics, level, low..end);
            }
        }
    }
    tile.now = (begun + count) % 2;
}

/// A level of the wave: one step.
struct Level<'a, T> {
    /// The copy of u that the step reads; it writes the other.
    from: usize,
    /// How far beyond the owned cells it computes.
    margin: isize,
    /// First and end of what that is.
    layers: (isize, isize),
    rows: (isize, isize),
    columns: (isize, isize),
    /// Those that are on.
    stimuli: Vec<&'a Applied<T>>,
    /// Time and Δt for the recorders, if they see this level.
    record: Option<(f64, f64)>,
}

/// The arrays of a tile during a wave, and what says how to step them.
struct Arrays<'a, T, const G: usize> {
    layout: &'a Layout,
    edges: &'a Edges,
    stencil: &'a Stencil<T>,
    spans: &'a Spans<T>,
    u: [&'a mut [T]; 2],
    gates: [&'a mut [T]; G],
    diffusion: &'a mut [T],
    upstrokes: Option<&'a mut Upstrokes>,
}

impl<T: Float, const G: usize> Arrays<'_, T, G> {
    /// Layers that a level takes at once: beginning anew costs as much as some dozens of cells.
    fn thickness(&self, level: &Level<T>) -> usize {
        match self.spans {
            Spans::Whole => {
                let cells = (level.rows.1 - level.rows.0) * (level.columns.1 - level.columns.0);
                ENOUGH.div_ceil(cells.max(1) as usize)
            }
            Spans::Masked(_) => 1,
        }
    }

    /// One step of some layers.
    #[inline(always)]
    fn step_layers<S: Kernels, K: Kinetics<T, G>>(
        &mut self,
        kinetics: &[K],
        level: &Level<T>,
        layers: Range<isize>,
    ) {
        let rows = level.rows.0..level.rows.1;
        let places = layers
            .clone()
            .flat_map(|layer| rows.clone().map(move |row| [layer, row]));
        match self.spans {
            Spans::Whole => {
                let parts = places.clone().map(|place| (place, level.columns));
                self.step::<S, K>(&kinetics[0], level.from, parts);
            }
            Spans::Masked(masked) => {
                for layer in layers {
                    for group in masked.of_layer(layer) {
                        let needed = masked.within(group, level.margin);
                        self.step_masked::<S, K>(
                            kinetics, masked, group.set, level.from, layer, needed,
                        );
                    }
                }
            }
        }
        let idle = level.stimuli.is_empty() && (level.record.is_none() || self.upstrokes.is_none());
        if !idle || matches!(self.stencil, Stencil::Uniform(_)) {
            for place in places {
                self.finish_row::<S>(level, place);
            }
        }
    }

    /// One step of listed blocks of a layer.
    fn step_masked<S: Kernels, K: Kinetics<T, G>>(
        &mut self,
        kinetics: &[K],
        masked: &Masked<T>,
        set: Option<u8>,
        from: usize,
        layer: isize,
        listed: Range<usize>,
    ) {
        let (layout, edges) = (self.layout, self.edges);
        let parts = (masked.places[listed.clone()].iter()).map(|&[row, low]| {
            let (row, low) = (row as isize, low as isize);
            (
                Row::new(layout, edges, [layer, row]),
                (low, low + LANES as isize),
            )
        });
        let Some(set) = set else {
            for (row, columns) in parts {
                self.step_mixed::<S, K>(kinetics, &masked.region, from, &row, columns);
            }
            return;
        };
        let kinetics = &kinetics[set as usize];
        let (old, new) = old_and_new(&mut self.u, from);
        let gates = &mut self.gates;
        let blocks = masked.blocks(listed.clone());
        match (self.stencil, &masked.pairs) {
            (Stencil::Pairs(pairs), BlockPairs::OneMedium { weights, present }) => {
                let present = &present[listed];
                if pairs.straight() == Some(2) {
                    let cut = Cut::<T, 2>::new(pairs, weights, present);
                    S::react_blocks(kinetics, &cut, blocks, old, new, gates);
                } else if pairs.straight() == Some(3) {
                    let cut = Cut::<T, 3>::new(pairs, weights, present);
                    S::react_blocks(kinetics, &cut, blocks, old, new, gates);
                } else {
                    self.step_given::<S, K>(kinetics, from, parts);
                }
            }
            (Stencil::Pairs(pairs), BlockPairs::Weights(weights)) => {
                let count = pairs.per_block();
                let weights = &weights[listed.start * count..listed.end * count];
                let streamed = Streamed::new(pairs, weights);
                S::react_blocks(kinetics, &streamed, blocks, old, new, gates);
            }
            _ => self.step_given::<S, K>(kinetics, from, parts),
        }
    }

    /// Stimuli, edges and recorders of a row whose step is done.
    #[inline(always)]
    fn finish_row<S: Kernels>(&mut self, level: &Level<T>, [layer, row]: [isize; 2]) {
        let place = &Row::new(self.layout, self.edges, [layer, row]);
        if !level.stimuli.is_empty() {
            let number = self.layout.row_number(layer, row);
            for stimulus in &level.stimuli {
                for &(_, low, high) in stimulus.in_row(number) {
                    self.stimulate::<S>(stimulus, level.from, place, (low, high));
                }
            }
        }
        let [layers, rows, columns] = self.layout.size;
        let (old, new) = old_and_new(&mut self.u, level.from);
        if matches!(self.stencil, Stencil::Uniform(_)) {
            mirror_row(self.edges[2], new, place.start, columns);
        }
        if let (Some((time, dt)), Some(upstrokes)) = (level.record, &mut self.upstrokes)
            && (0..layers as isize).contains(&layer)
            && (0..rows as isize).contains(&row)
        {
            let number = self.layout.owned_number(layer as usize, row as usize, 0);
            let owned = place.start..place.start + columns;
            S::observe(
                upstrokes,
                number,
                &old[owned.clone()],
                &new[owned],
                time,
                dt,
            );
        }
    }

    /// u + Δt ∇·(D∇u) − Δt J_ion and the gates, of parts: layer and row, and columns.
    #[inline(always)]
    fn step<S: Kernels, K: Kinetics<T, G>>(
        &mut self,
        kinetics: &K,
        from: usize,
        parts: impl Iterator<Item = ([isize; 2], (isize, isize))> + Clone,
    ) {
        let (layout, edges) = (self.layout, self.edges);
        let parts = parts.map(|(place, columns)| (Row::new(layout, edges, place), columns));
        let cells = |(row, columns): (Row, (isize, isize))| (row, row.cells(columns));
        let (old, new) = old_and_new(&mut self.u, from);
        let gates = &mut self.gates;
        let axes = match self.stencil {
            Stencil::Pairs(pairs) => pairs.straight(),
            _ => None,
        };
        match (self.stencil, axes) {
            (Stencil::Uniform(uniform), _) => {
                let planar = parts
                    .map(cells)
                    .map(|(row, cells)| (uniform.planar(row), cells));
                match uniform.rows {
                    None => S::react(kinetics, planar, old, new, gates),
                    Some(rows) => {
                        let solid = planar.map(|(planar, cells)| (Solid { planar, rows }, cells));
                        S::react(kinetics, solid, old, new, gates);
                    }
                }
            }
            (Stencil::Pairs(pairs), Some(2)) => {
                let parts = parts.map(cells).map(|(_, cells)| (pairs.some(0..2), cells));
                S::react::<T, K, _, G, 8>(kinetics, parts, old, new, gates);
            }
            (Stencil::Pairs(pairs), Some(3)) => {
                let parts = parts.map(cells).map(|(_, cells)| (pairs.some(0..3), cells));
                S::react::<T, K, _, G, 12>(kinetics, parts, old, new, gates);
            }
            _ => self.step_given::<S, K>(kinetics, from, parts),
        }
    }

    /// The same with Δt ∇·(D∇u) through a buffer: as many parts at once as it holds.
    fn step_given<S: Kernels, K: Kinetics<T, G>>(
        &mut self,
        kinetics: &K,
        from: usize,
        mut parts: impl Iterator<Item = (Row, (isize, isize))> + Clone,
    ) {
        let (old, new) = old_and_new(&mut self.u, from);
        while let Some((_, (low, high))) = parts.clone().next() {
            let count = self.diffusion.len() / (high - low) as usize;
            let some = parts.clone().take(count);
            S::diffuse(self.stencil, self.layout, old, some.clone(), self.diffusion);
            let mut rest: &[T] = self.diffusion;
            let given = some.map(|(row, columns)| {
                let cells = row.cells(columns);
                let (here, after) = rest.split_at(cells.len());
                rest = after;
                (Given(here), cells)
            });
            S::react(kinetics, given, old, new, &mut self.gates);
            parts.nth(count - 1);
        }
    }

    /// The same where parameter sets change within the columns.
    fn step_mixed<S: Kernels, K: Kinetics<T, G>>(
        &mut self,
        kinetics: &[K],
        region: &[u8],
        from: usize,
        row: &Row,
        columns: (isize, isize),
    ) {
        self.diffuse::<S>(from, row, columns);
        let cells = row.cells(columns);
        let (old, new) = old_and_new(&mut self.u, from);
        let gates = self.gates.each_mut().map(|gate| &mut gate[cells.clone()]);
        S::react_mixed(
            kinetics,
            &region[cells.clone()],
            &old[cells.clone()],
            &mut new[cells.clone()],
            gates,
            &self.diffusion[..cells.len()],
        );
    }

    /// Δt ∇·(D∇u) of columns of a row (whole blocks), at the beginning of `diffusion`.
    fn diffuse<S: Kernels>(&mut self, from: usize, row: &Row, columns: (isize, isize)) {
        let out = &mut self.diffusion[..row.cells(columns).len()];
        let part = std::iter::once((*row, columns));
        S::diffuse(self.stencil, self.layout, self.u[from], part, out);
    }

    /// Applies a stimulus to columns of a row whose step is done.
    fn stimulate<S: Kernels>(
        &mut self,
        stimulus: &Applied<T>,
        from: usize,
        row: &Row,
        (low, high): (isize, isize),
    ) {
        let (cells, value) = (row.cells((low, high)), stimulus.value);
        match stimulus.kind {
            StimulusKind::Current => {
                for u in &mut self.u[1 - from][cells] {
                    *u = *u + value;
                }
            }
            StimulusKind::Voltage => self.u[1 - from][cells].fill(value),
            StimulusKind::Replace => {
                let (first, end) = self.layout.whole_blocks(low, high);
                self.diffuse::<S>(from, row, (first, end));
                let diffusion = &self.diffusion[(low - first) as usize..];
                let (old, new) = old_and_new(&mut self.u, from);
                let old = &old[cells.clone()];
                for ((new, old), diffusion) in new[cells].iter_mut().zip(old).zip(diffusion) {
                    *new = *old + (*diffusion + value);
                }
            }
        }
    }
}

/// The copy of u that a step reads, and the one that it writes.
#[inline(always)]
fn old_and_new<'a, T>(u: &'a mut [&mut [T]; 2], from: usize) -> (&'a [T], &'a mut [T]) {
    let [a, b] = u;
    if from == 0 { (a, b) } else { (b, a) }
}

#[cfg(test)]
mod tests;
