//! The simulation of a rank on its device: blocks of steps between exchanges of ghosts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::moves::{Move, Pass, moves};
use super::parameters::{Box as Shape, Copy, Extent, Largest};
use super::tile::DeviceTile;
use crate::comm::{Communicator, agree};
use crate::device::{Argument, Array, Device, Kernels, Launch, Recording, check_memory};
use crate::error::{Error, Result};
use crate::ionic::Kinetics;
use crate::monodomain::activation::{UpstrokeArrays, Upstrokes};
use crate::monodomain::division::Division;
use crate::monodomain::engine::{Counters, Engine, lock};
use crate::monodomain::ghosts;
use crate::monodomain::layout::Layout;
use crate::monodomain::simulation::{Simulation, Values};
use crate::real::Float;

/// Steps between two looks at the stimuli where no ghosts are exchanged.
const STEPS_ALONE: u64 = 256;
/// Blocks of steps that are recorded together, of tiles with fewer cells than these: launches would
/// take longer than the steps.
const RECORDED_BLOCKS: u64 = 16;
const RECORDED_CELLS: usize = 1 << 21;
/// Threads that look for the largest |u|.
const LOOKERS: usize = 8192;

/// A simulation on a device.
pub struct DeviceEngine<T, K, const G: usize> {
    /// Division, links, timetable; its tiles hold the state while it is asked for.
    host: Engine<T, K, G>,
    device: Arc<dyn Device>,
    kernels: Arc<Kernels>,
    state: Mutex<State<T, G>>,
    /// What the device refused, until it is asked for.
    failure: Mutex<Option<Error>>,
}

struct State<T, const G: usize> {
    tiles: Vec<DeviceTile<T, G>>,
    /// A message to each rank: where its parts come from; and the messages from each.
    outgoing: Vec<Message<T>>,
    incoming: Vec<Message<T>>,
    /// Launches of some blocks of steps, by the copies that were now when they were recorded.
    recordings: HashMap<(usize, usize), Box<dyn Recording>>,
    clock: Array<u64>,
    looked: Array<Largest>,
    probes: Option<(Vec<usize>, Vec<Probes<T>>)>,
}

/// Cells that go to or come from one rank.
struct Message<T> {
    values: Array<T>,
    /// Tile, field, and the copy between its array and the message.
    parts: Vec<(usize, usize, Copy)>,
}

/// Cells of a tile that are probed.
struct Probes<T> {
    /// Places in the list of all.
    numbers: Vec<usize>,
    positions: Array<i32>,
    values: Array<T>,
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> DeviceEngine<T, K, G> {
    /// Brings an engine's tiles to the device.
    ///
    /// # Errors
    /// [`Error::BadData`] where its memory is too small; those of the device.
    pub fn new(host: Engine<T, K, G>, device: Arc<dyn Device>) -> Result<Self> {
        let on = &*device;
        let needed = host.tiles.iter().map(|tile| DeviceTile::bytes(&lock(tile))).sum();
        check_memory(on, "the simulation", needed)?;
        let kernels = device.load(&super::program::<T, K, G>())?;
        let sets: Vec<Vec<T>> = host.kinetics.iter().map(K::words).collect();
        let dt = host.pace.dt;
        let tiles = host.tiles.iter();
        let tiles = tiles.map(|tile| DeviceTile::new(&device, &kernels, &lock(tile), &sets, dt));
        let tiles: Vec<DeviceTile<T, G>> = tiles.collect::<Result<_>>()?;
        let state = State {
            outgoing: outgoing(&host, &tiles, on)?,
            incoming: incoming(&host, &tiles, on)?,
            tiles,
            recordings: HashMap::new(),
            clock: Array::zeros(on, 1)?,
            looked: Array::zeros(on, LOOKERS)?,
            probes: None,
        };
        Ok(Self {
            host,
            kernels,
            state: Mutex::new(state),
            failure: Mutex::new(None),
            device,
        })
    }

    /// Does `work` unless something failed before; keeps its error.
    fn attempt<R>(&self, work: impl FnOnce() -> Result<R>) -> Option<R> {
        if lock(&self.failure).is_some() {
            return None;
        }
        match work() {
            Ok(done) => Some(done),
            Err(error) => {
                *lock(&self.failure) = Some(error);
                None
            }
        }
    }

    fn launch(&self, launch: Launch, arguments: &[Argument]) -> Result<()> {
        self.device.launch(launch, arguments)
    }

    fn is_alone(&self) -> bool {
        self.host.incoming.is_empty() && self.host.outgoing.is_empty()
    }

    /// Steps of a block: to the next exchange of ghosts, or to the next look at the stimuli.
    fn block_steps(&self) -> u64 {
        let closed = self.host.links.iter().all(|l| l.near.is_empty() && l.far.is_empty());
        if closed && !self.host.pace.heun {
            STEPS_ALONE
        } else {
            self.host.pace.steps_per_exchange as u64
        }
    }

    fn run(&self, comm: &dyn Communicator, first: u64, steps: u64) {
        let state = &mut *lock(&self.state);
        let (mut step, end) = (first, first + steps);
        while step < end {
            let count = self.block_steps().min(end - step);
            let recorded = count * RECORDED_BLOCKS;
            if count == self.block_steps() && end - step >= recorded && self.may_record(state) {
                let times = self.quiet_recordings(step, end, recorded);
                if times > 0 {
                    self.attempt(|| self.replay(state, step, count, times));
                    step += times * recorded;
                    continue;
                }
            }
            self.block(state, comm, step, count as usize);
            step += count;
        }
    }

    fn may_record(&self, state: &State<T, G>) -> bool {
        let cells: usize = state.tiles.iter().map(|t| t.layout.owned()).sum();
        let most = self.block_steps() as usize;
        // An even number of launches, so that the copies that are now are those before.
        let even = |pass: Option<Pass>| pass.is_some_and(|pass| most >= pass.least);
        self.is_alone() && cells <= RECORDED_CELLS && state.tiles.iter().all(|t| even(t.pass()))
    }

    /// How many times `recorded` steps from `step` on no stimulus acts.
    fn quiet_recordings(&self, step: u64, end: u64, recorded: u64) -> u64 {
        let mut on = Vec::new();
        let quiet = (step..end).take_while(|s| {
            self.host.timetable.active(*s, &mut on);
            on.is_empty()
        });
        quiet.count() as u64 / recorded
    }

    /// Blocks of `count` steps from `first` on, without stimuli, by recordings.
    fn replay(&self, state: &mut State<T, G>, first: u64, count: u64, times: u64) -> Result<()> {
        let now = |state: &State<T, G>| state.tiles.first().map_or((0, 0), |t| (t.now, t.gates_now));
        let key = now(state);
        if !state.recordings.contains_key(&key) {
            let recording = self.device.record(&mut || {
                for block in 0..RECORDED_BLOCKS {
                    self.copy_near(state)?;
                    for tile in 0..state.tiles.len() {
                        let moves = moves(count as usize, |_| false, state.tiles[tile].pass());
                        for each in &moves {
                            self.advance(state, tile, each, block * count, count as usize, true)?;
                        }
                    }
                }
                let arguments = [
                    state.clock.argument(),
                    Argument::of(RECORDED_BLOCKS * count),
                ];
                self.launch(Launch::over(self.kernels.get("tick")?, 1), &arguments)
            })?;
            if now(state) != key {
                return Err(Error::Bug("recorded launches end on other copies".into()));
            }
            state.recordings.insert(key, recording);
        }
        state.clock.write(&*self.device, &[first])?;
        for _ in 0..times {
            state.recordings[&key].replay()?;
        }
        Ok(())
    }

    /// A move of a tile without stimuli: all of its cells that later moves of the block need.
    fn advance(
        &self,
        state: &mut State<T, G>,
        tile: usize,
        each: &Move,
        first: u64,
        count: usize,
        by_clock: bool,
    ) -> Result<()> {
        let clock = by_clock.then_some(&state.clock);
        let tile = &mut state.tiles[tile];
        let extent = Extent::with_margin(&tile.layout, &tile.edges, self.margin(each, count));
        let step = first + each.steps.start as u64;
        if each.march {
            tile.march(&extent, each.steps.len(), step, clock)?;
        } else {
            tile.step(&extent)?;
        }
        self.finish(tile, each, step, &extent, &[])
    }

    /// Cells beyond the owned ones that moves after this one need.
    fn margin(&self, each: &Move, count: usize) -> usize {
        (count - each.steps.end) * self.reach()
    }

    fn reach(&self) -> usize {
        self.host.tiles.first().map_or(1, |tile| lock(tile).stencil.reach())
    }

    /// What follows the launches of a move: stimuli and recorder of a single step; the new copies
    /// are now.
    fn finish(
        &self,
        tile: &mut DeviceTile<T, G>,
        each: &Move,
        step: u64,
        extent: &Extent,
        on: &[usize],
    ) -> Result<()> {
        if each.march {
            tile.gates_now = 1 - tile.gates_now;
        } else {
            tile.stimulate(extent, on)?;
            tile.record(step, &tile.u[tile.now], &tile.u[1 - tile.now])?;
        }
        tile.now = 1 - tile.now;
        Ok(())
    }

    /// A block of steps: ghosts, then the moves of all tiles. While messages travel, tiles without
    /// ghosts of other ranks advance, and of the others what does not depend on ghosts.
    fn block(&self, state: &mut State<T, G>, comm: &dyn Communicator, first: u64, count: usize) {
        let block = self.host.block(first, count);
        let on = |step: usize| &block.stimuli[step][..];
        let heun = self.host.pace.heun;
        let plans: Vec<Vec<Move>> = state
            .tiles
            .iter()
            .map(|tile| moves(count, |s| tile.is_stimulated(on(s)), tile.pass()))
            .collect();
        let all = |state: &mut State<T, G>, tile: usize| -> Result<()> {
            if heun {
                return state.tiles[tile].heun(first, on(0), self.reach());
            }
            for each in &plans[tile] {
                self.whole_move(state, tile, each, first, count, on(each.steps.start), None)?;
            }
            Ok(())
        };
        let packed = self.attempt(|| {
            self.copy_near(state)?;
            self.pack(state)
        });
        if self.is_alone() {
            self.attempt(|| (0..state.tiles.len()).try_for_each(|tile| all(state, tile)));
            return;
        }
        // A rank whose device failed keeps the others going until all are told.
        let messages = packed.unwrap_or_else(|| state.outgoing.iter().map(zeros).collect());
        let messages: Vec<(usize, Vec<u8>)> = (self.host.outgoing.iter())
            .zip(messages)
            .map(|((rank, _), bytes)| (*rank, bytes))
            .collect();
        let far = |tile: usize| !self.host.links[tile].far.is_empty();
        let split = |tile: usize| far(tile) && !heun && plans[tile].len() == 1;
        let mut inner = || {
            self.attempt(|| {
                (0..plans.len()).try_for_each(|tile| match far(tile) {
                    false => all(state, tile),
                    true if split(tile) => self.interior(state, tile, &plans[tile][0], first, count),
                    true => Ok(()),
                })
            });
        };
        let begun = std::time::Instant::now();
        let received = comm.exchange(&messages, &self.host.incoming, &mut inner);
        self.count_exchange(&messages, begun.elapsed().as_secs_f64());
        self.attempt(|| {
            self.unpack(state, &received)?;
            for tile in (0..plans.len()).filter(|t| far(*t)) {
                if split(tile) {
                    let each = &plans[tile][0];
                    let inner = self.inner_extent(state, tile, count);
                    let on = on(each.steps.start);
                    self.whole_move(state, tile, each, first, count, on, Some(inner))?;
                } else {
                    all(state, tile)?;
                }
            }
            Ok(())
        });
    }

    /// A move with its stimuli; but for the cells of `done`.
    #[allow(clippy::too_many_arguments)]
    fn whole_move(
        &self,
        state: &mut State<T, G>,
        tile: usize,
        each: &Move,
        first: u64,
        count: usize,
        on: &[usize],
        done: Option<Extent>,
    ) -> Result<()> {
        let tile = &mut state.tiles[tile];
        let extent = Extent::with_margin(&tile.layout, &tile.edges, self.margin(each, count));
        let step = first + each.steps.start as u64;
        let parts = done.map_or_else(|| vec![extent], |done| extent.without(&done));
        for part in &parts {
            if each.march {
                tile.march(part, each.steps.len(), step, None)?;
            } else {
                tile.step(part)?;
            }
        }
        self.finish(tile, each, step, &extent, on)
    }

    fn inner_extent(&self, state: &State<T, G>, tile: usize, count: usize) -> Extent {
        let tile = &state.tiles[tile];
        Extent::interior(&tile.layout, &tile.edges, count * self.reach())
    }

    /// The only move of a block, of the cells that no ghost reaches.
    fn interior(
        &self,
        state: &State<T, G>,
        tile: usize,
        each: &Move,
        first: u64,
        count: usize,
    ) -> Result<()> {
        let inner = self.inner_extent(state, tile, count);
        let tile = &state.tiles[tile];
        if each.march {
            tile.march(&inner, count, first, None)
        } else {
            tile.step(&inner)
        }
    }

    /// Ghosts from tiles of this rank.
    fn copy_near(&self, state: &State<T, G>) -> Result<()> {
        for (to, links) in self.host.links.iter().enumerate() {
            for (from, _, copy) in &links.near {
                for field in 0..self.host.fields() {
                    let (from, to) = (&state.tiles[*from], &state.tiles[to]);
                    let cells = Copy {
                        from: strided(&from.layout, copy.source),
                        to: strided(&to.layout, copy.target),
                        size: copy.size.map(|n| n as i32),
                        unused: 0,
                    };
                    self.copy_box(cells, from.field(field), to.field(field))?;
                }
            }
        }
        Ok(())
    }

    fn copy_box(&self, copy: Copy, from: &Array<T>, to: &Array<T>) -> Result<()> {
        let cells = copy.size.iter().map(|n| *n as usize).product();
        let arguments = [Argument::of(copy), from.argument(), to.argument()];
        self.launch(Launch::over(self.kernels.get("copy_box")?, cells), &arguments)
    }

    /// The messages to other ranks.
    fn pack(&self, state: &State<T, G>) -> Result<Vec<Vec<u8>>> {
        for message in &state.outgoing {
            for (tile, field, copy) in &message.parts {
                self.copy_box(*copy, state.tiles[*tile].field(*field), &message.values)?;
            }
        }
        let read = |message: &Message<T>| {
            Ok(bytemuck::cast_slice(&message.values.to_vec(&*self.device)?).to_vec())
        };
        state.outgoing.iter().map(read).collect()
    }

    /// Ghosts from the messages of other ranks.
    fn unpack(&self, state: &State<T, G>, received: &[Vec<u8>]) -> Result<()> {
        for (message, bytes) in state.incoming.iter().zip(received) {
            let values: Vec<T> = crate::comm::from_bytes(bytes);
            message.values.write(&*self.device, &values)?;
            for (tile, field, copy) in &message.parts {
                self.copy_box(*copy, &message.values, state.tiles[*tile].field(*field))?;
            }
        }
        Ok(())
    }

    fn count_exchange(&self, messages: &[(usize, Vec<u8>)], seconds: f64) {
        let mut counters = lock(&self.host.counters);
        counters.exchanges += 1;
        counters.messages += messages.len() as u64;
        counters.bytes_sent += messages.iter().map(|(_, b)| b.len() as u64).sum::<u64>();
        counters.exchange_s += seconds;
    }

    /// Brings a field to the engine of the CPU.
    fn download(&self, field: usize) {
        let state = lock(&self.state);
        self.attempt(|| {
            for (tile, on_device) in self.host.tiles.iter().zip(&state.tiles) {
                let tile = &mut *lock(tile);
                let values = match field {
                    0 => &mut tile.u[tile.now],
                    _ => &mut tile.gates[field - 1],
                };
                on_device.field(field).read(&*self.device, values)?;
            }
            Ok(())
        });
    }

    fn upload(&self, field: usize) {
        let state = lock(&self.state);
        self.attempt(|| {
            for (tile, on_device) in self.host.tiles.iter().zip(&state.tiles) {
                let tile = &*lock(tile);
                let values = match field {
                    0 => &tile.u[tile.now],
                    _ => &tile.gates[field - 1],
                };
                on_device.field(field).write(&*self.device, values)?;
            }
            Ok(())
        });
    }

    /// Largest |u| of this rank's cells, and its cell of the grid.
    fn own_largest(&self) -> Result<(f64, usize)> {
        let state = lock(&self.state);
        let mut most = (-1.0, 0);
        for (tile, number) in state.tiles.iter().zip(&self.host.own) {
            let launch = Launch::over(self.kernels.get("largest")?, LOOKERS);
            let arguments = [
                Argument::of(Shape::new(&tile.layout, &tile.edges)),
                tile.field(0).argument(),
                state.looked.argument(),
            ];
            self.launch(launch, &arguments)?;
            for found in state.looked.to_vec(&*self.device)? {
                let cell = || self.cell_of(*number, found.cell as usize);
                if found.size > most.0 || found.size == most.0 && cell() < most.1 {
                    most = (found.size, cell());
                }
            }
        }
        Ok(most)
    }

    /// The cell of the grid that is number `owned` of a tile.
    fn cell_of(&self, tile: usize, owned: usize) -> usize {
        let division = &self.host.division;
        let tile = &division.tiles[tile];
        let [_, rows, columns] = tile.size;
        let place = [owned / (rows * columns), owned / columns % rows, owned % columns];
        let [l, r, c]: [usize; 3] = std::array::from_fn(|a| tile.low[a] + place[a]);
        (l * division.shape[1] + r) * division.shape[2] + c
    }

    /// u of this rank's cells among `cells`, 0 for the others.
    fn own_probes(&self, cells: &[usize]) -> Result<Vec<f64>> {
        let state = &mut *lock(&self.state);
        if state.probes.as_ref().is_none_or(|(of, _)| of != cells) {
            state.probes = Some((cells.to_vec(), self.find_probes(&state.tiles, cells)?));
        }
        let mut values = vec![0.0; cells.len()];
        let probes = state.probes.as_ref().map_or(&[][..], |(_, probes)| probes);
        for (tile, probes) in state.tiles.iter().zip(probes) {
            let count = probes.numbers.len();
            if count == 0 {
                continue;
            }
            let arguments = [
                tile.field(0).argument(),
                probes.positions.argument(),
                Argument::of(count as i32),
                probes.values.argument(),
            ];
            self.launch(Launch::over(self.kernels.get("probe")?, count), &arguments)?;
            for (number, value) in probes.numbers.iter().zip(probes.values.to_vec(&*self.device)?) {
                values[*number] = value.value();
            }
        }
        Ok(values)
    }

    fn find_probes(&self, tiles: &[DeviceTile<T, G>], cells: &[usize]) -> Result<Vec<Probes<T>>> {
        let on = &*self.device;
        let [_, rows, columns] = self.host.division.shape;
        let of_tile = |(tile, number): (&DeviceTile<T, G>, &usize)| {
            let tile_box = &self.host.division.tiles[*number];
            let (mut numbers, mut positions) = (Vec::new(), Vec::new());
            for (number, cell) in cells.iter().enumerate() {
                let place = [cell / (rows * columns), cell / columns % rows, cell % columns];
                let at: [isize; 3] =
                    std::array::from_fn(|a| place[a] as isize - tile_box.low[a] as isize);
                if (0..3).all(|a| (0..tile_box.size[a] as isize).contains(&at[a])) {
                    numbers.push(number);
                    positions.push(tile.layout.index(at) as i32);
                }
            }
            Ok(Probes {
                values: Array::zeros(on, numbers.len())?,
                positions: Array::of(on, &positions)?,
                numbers,
            })
        };
        tiles.iter().zip(&self.host.own).map(of_tile).collect()
    }
}

fn zeros<T: Float>(message: &Message<T>) -> Vec<u8> {
    vec![0; message.values.len() * size_of::<T>()]
}

/// Position and strides of a box of cells.
fn strided(layout: &Layout, cell: [isize; 3]) -> [i32; 3] {
    let at = [layout.index(cell), layout.layer_stride, layout.row_stride];
    at.map(|n| n as i32)
}

/// Position and strides of a box in a message from `start` on.
fn in_message(start: usize, copy: &ghosts::Copy) -> [i32; 3] {
    [start, copy.size[1] * copy.size[2], copy.size[2]].map(|n| n as i32)
}

/// The messages to other ranks: parcels, each some boxes of a tile's outbox as the engine has them.
fn outgoing<T: Float, K: Kinetics<T, G>, const G: usize>(
    host: &Engine<T, K, G>,
    tiles: &[DeviceTile<T, G>],
    on: &dyn Device,
) -> Result<Vec<Message<T>>> {
    let message = |(_, parcels): &(usize, Vec<crate::monodomain::engine::Parcel>)| {
        let (mut parts, mut end) = (Vec::new(), 0);
        for parcel in parcels {
            let mut start = 0;
            for copy in &host.links[parcel.tile].wanted {
                let len = copy.cells() * host.fields();
                if (parcel.start..parcel.start + parcel.len).contains(&start) {
                    let layout = &tiles[parcel.tile].layout;
                    for field in 0..host.fields() {
                        let cells = Copy {
                            from: strided(layout, copy.source),
                            to: in_message(end, copy),
                            size: copy.size.map(|n| n as i32),
                            unused: 0,
                        };
                        parts.push((parcel.tile, field, cells));
                        end += copy.cells();
                    }
                }
                start += len;
            }
        }
        Ok(Message {
            values: Array::zeros(on, end)?,
            parts,
        })
    };
    host.outgoing.iter().map(message).collect()
}

/// The messages from other ranks.
fn incoming<T: Float, K: Kinetics<T, G>, const G: usize>(
    host: &Engine<T, K, G>,
    tiles: &[DeviceTile<T, G>],
    on: &dyn Device,
) -> Result<Vec<Message<T>>> {
    let mut all: Vec<(Vec<(usize, usize, Copy)>, usize)> =
        host.incoming.iter().map(|_| (Vec::new(), 0)).collect();
    for (tile, links) in host.links.iter().enumerate() {
        for (message, start, copy) in &links.far {
            let (parts, end) = &mut all[*message];
            for field in 0..host.fields() {
                let start = start + field * copy.cells();
                let cells = Copy {
                    from: in_message(start, copy),
                    to: strided(&tiles[tile].layout, copy.target),
                    size: copy.size.map(|n| n as i32),
                    unused: 0,
                };
                parts.push((tile, field, cells));
                *end = (*end).max(start + copy.cells());
            }
        }
    }
    let made = all.into_iter().map(|(parts, end)| {
        Ok(Message {
            values: Array::zeros(on, end)?,
            parts,
        })
    });
    made.collect()
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> Simulation for DeviceEngine<T, K, G> {
    fn division(&self) -> &Division {
        &self.host.division
    }

    fn counters(&self) -> Counters {
        Engine::counters(&self.host)
    }

    fn steps_per_exchange(&self) -> usize {
        self.host.pace.steps_per_exchange
    }

    fn advance(&self, comm: &dyn Communicator, first: u64, steps: u64) {
        self.run(comm, first, steps);
        self.attempt(|| self.device.wait());
    }

    fn failure(&self, comm: &dyn Communicator) -> Result<()> {
        let failure = lock(&self.failure).take();
        agree(comm, failure.map_or(Ok(()), Err))
    }

    fn gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values> {
        self.download(field);
        Simulation::gather(&self.host, comm, field)
    }

    fn scatter(&self, comm: &dyn Communicator, field: usize, values: Option<&Values>) {
        // Cells that are not given keep what they have.
        self.download(field);
        Simulation::scatter(&self.host, comm, field, values);
        self.upload(field);
    }

    fn largest(&self, comm: &dyn Communicator) -> (f64, usize) {
        let own = self.attempt(|| self.own_largest()).unwrap_or((-1.0, 0));
        let mut most = [own.0];
        comm.max_f64(&mut most);
        let mut place = [if own.0 == most[0] {
            own.1 as f64
        } else {
            f64::INFINITY
        }];
        comm.min_f64(&mut place);
        (most[0], place[0] as usize)
    }

    fn probe(&self, comm: &dyn Communicator, cells: &[usize]) -> Vec<f64> {
        let mut values = self
            .attempt(|| self.own_probes(cells))
            .unwrap_or_else(|| vec![0.0; cells.len()]);
        // Each cell has one owner, so the sum has one term.
        comm.sum_f64(&mut values);
        values
    }

    fn upstrokes(&self, comm: &dyn Communicator) -> Option<UpstrokeArrays> {
        let state = lock(&self.state);
        self.attempt(|| {
            for (tile, on_device) in self.host.tiles.iter().zip(&state.tiles) {
                if let Some((options, arrays)) = on_device.upstrokes()? {
                    lock(tile).upstrokes = Some(Upstrokes::from_arrays(options, arrays)?);
                }
            }
            Ok(())
        });
        Simulation::upstrokes(&self.host, comm)
    }

    fn restore_upstrokes(
        &self,
        comm: &dyn Communicator,
        arrays: Option<&UpstrokeArrays>,
    ) -> Result<()> {
        Simulation::restore_upstrokes(&self.host, comm, arrays)?;
        let state = lock(&self.state);
        for (tile, on_device) in self.host.tiles.iter().zip(&state.tiles) {
            if let Some(upstrokes) = &lock(tile).upstrokes {
                on_device.set_upstrokes(&upstrokes.arrays())?;
            }
        }
        Ok(())
    }
}
