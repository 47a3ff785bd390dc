//! The simulation of a rank on its device: blocks of steps between exchanges of ghosts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::access::{LOOKERS, Probes};
use super::messages::{Message, incoming, outgoing, zeros};
use super::moves::{Move, Pass, moves};
use super::parameters::{Extent, Largest};
use super::tile::DeviceTile;
use crate::comm::Communicator;
use crate::device::{Argument, Array, Arriving, Device, Kernels, Launch, Recording, check_memory};
use crate::error::{Error, Result};
use crate::ionic::Kinetics;
use crate::monodomain::engine::{Engine, lock};
use crate::real::Float;

/// Steps of a block where no ghosts are exchanged.
const STEPS_ALONE: u64 = 64;
/// Steps that are recorded together, of tiles with fewer cells than these: launches would
/// take longer than the steps.
const RECORDED_STEPS: u64 = 256;
const RECORDED_CELLS: usize = 1 << 21;

/// A simulation on a device.
pub struct DeviceEngine<T, K, const G: usize> {
    /// Division, links, timetable; its tiles hold the state while it is asked for.
    pub(super) host: Engine<T, K, G>,
    pub(super) device: Arc<dyn Device>,
    pub(super) kernels: Arc<Kernels>,
    pub(super) state: Mutex<State<T, G>>,
    /// What the device refused, until it is asked for.
    pub(super) failure: Mutex<Option<Error>>,
}

pub(super) struct State<T, const G: usize> {
    pub(super) tiles: Vec<DeviceTile<T, G>>,
    /// A message to each rank: where its parts come from; and the messages from each.
    pub(super) outgoing: Vec<Message<T>>,
    pub(super) incoming: Vec<Message<T>>,
    /// Launches of some blocks of steps, by the copies that were now when they were recorded.
    recordings: HashMap<(usize, usize), Box<dyn Recording>>,
    clock: Array<u64>,
    pub(super) looked: Array<Largest>,
    /// Copies of fields that are on their way, and their fields on the device, by field and tile.
    pub(super) arriving: HashMap<usize, Vec<Box<dyn Arriving>>>,
    pub(super) snapshots: HashMap<usize, Vec<Array<T>>>,
    pub(super) probes: Option<(Vec<usize>, Vec<Probes<T>>)>,
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> DeviceEngine<T, K, G> {
    /// Brings an engine's tiles to the device.
    ///
    /// # Errors
    /// [`Error::BadData`] where its memory is too small; those of the device.
    pub fn new(host: Engine<T, K, G>, device: Arc<dyn Device>) -> Result<Self> {
        let on = &*device;
        let needed = host
            .tiles
            .iter()
            .map(|tile| DeviceTile::bytes(&lock(tile)))
            .sum();
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
            arriving: HashMap::new(),
            snapshots: HashMap::new(),
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
    pub(super) fn attempt<R>(&self, work: impl FnOnce() -> Result<R>) -> Option<R> {
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

    pub(super) fn launch(&self, launch: Launch, arguments: &[Argument]) -> Result<()> {
        self.device.launch(launch, arguments)
    }

    pub(super) fn is_alone(&self) -> bool {
        self.host.incoming.is_empty() && self.host.outgoing.is_empty()
    }

    /// Steps of a block: to the next exchange of ghosts, or to the next look at the stimuli.
    fn block_steps(&self) -> u64 {
        let closed = self
            .host
            .links
            .iter()
            .all(|l| l.near.is_empty() && l.far.is_empty());
        if closed && !self.host.pace.heun {
            STEPS_ALONE
        } else {
            self.host.pace.steps_per_exchange as u64
        }
    }

    pub(super) fn run(&self, comm: &dyn Communicator, first: u64, steps: u64) {
        let state = &mut *lock(&self.state);
        let (mut step, end) = (first, first + steps);
        while step < end {
            let count = self.block_steps().min(end - step);
            let recorded = count * self.recorded_blocks();
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

    /// Blocks that are recorded together: an even number, so that the copies that are now are those
    /// before.
    fn recorded_blocks(&self) -> u64 {
        (RECORDED_STEPS / self.block_steps())
            .next_multiple_of(2)
            .max(2)
    }

    fn may_record(&self, state: &State<T, G>) -> bool {
        let cells: usize = state.tiles.iter().map(|t| t.layout.owned()).sum();
        let most = self.block_steps() as usize;
        let marches = |pass: Option<Pass>| pass.is_some_and(|pass| most >= pass.least);
        self.is_alone() && cells <= RECORDED_CELLS && state.tiles.iter().all(|t| marches(t.pass()))
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
        let now =
            |state: &State<T, G>| state.tiles.first().map_or((0, 0), |t| (t.now, t.gates_now));
        let key = now(state);
        if !state.recordings.contains_key(&key) {
            let recording = self.device.record(&mut || {
                for block in 0..self.recorded_blocks() {
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
                    Argument::of(self.recorded_blocks() * count),
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
        self.finish(tile, each, step, clock, &extent, &[])
    }

    /// Cells beyond the owned ones that moves after this one need.
    fn margin(&self, each: &Move, count: usize) -> usize {
        (count - each.steps.end) * self.reach()
    }

    fn reach(&self) -> usize {
        self.host
            .tiles
            .first()
            .map_or(1, |tile| lock(tile).stencil.reach())
    }

    /// What follows the launches of a move: stimuli and recorder of a single step; the new copies
    /// are now.
    fn finish(
        &self,
        tile: &mut DeviceTile<T, G>,
        each: &Move,
        step: u64,
        clock: Option<&Array<u64>>,
        extent: &Extent,
        on: &[usize],
    ) -> Result<()> {
        if each.march {
            tile.gates_now = 1 - tile.gates_now;
        } else {
            tile.stimulate(extent, on)?;
            tile.record(step, clock, &tile.u[tile.now], &tile.u[1 - tile.now])?;
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
                    true if split(tile) => {
                        self.interior(state, tile, &plans[tile][0], first, count)
                    }
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
        self.finish(tile, each, step, None, &extent, on)
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
}
