//! A simulation on all ranks and threads: tiles, their ghosts, and blocks of steps.
//!
//! Before each block of steps every tile gets its ghosts, from outboxes that the tiles have filled
//! after the block before. Tiles whose ghosts are all of this rank advance while the messages of
//! the others travel. There are two sets of outboxes, so a tile may fill one while its neighbours
//! read the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use super::division::{Division, TileIndex};
use super::ghosts::{Copy, copies_to};
use super::simd::advance_at;
use super::stretches::Stretch;
use super::sweep::Block;
use super::tile::Tile;
use crate::comm::{Communicator, from_bytes};
use crate::ionic::Kinetics;
use crate::real::Float;
use crate::simd::SimdLevel;
use crate::team::{Barrier, Team};

/// When the stimuli of a case are on.
pub trait Timetable: Send + Sync {
    /// Adds the numbers of the stimuli that are on during step `step` to `on`.
    fn active(&self, step: u64, on: &mut Vec<usize>);
}

/// How a simulation advances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Δt, ms.
    pub dt: f64,
    pub heun: bool,
    /// Steps between exchanges of ghosts.
    pub steps_per_exchange: usize,
    pub level: SimdLevel,
}

impl Pace {
    /// Fields that are exchanged of a model with so many gates. Gates are local: ghosts need them
    /// only where they are computed.
    pub fn fields(&self, gates: usize) -> usize {
        if self.steps_per_exchange == 1 && !self.heun {
            1
        } else {
            1 + gates
        }
    }
}

/// What was done so far, on this rank.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    pub exchanges: u64,
    pub messages: u64,
    pub bytes_sent: u64,
    /// Seconds in which the leading thread waited for messages or helped meanwhile.
    pub exchange_s: f64,
}

/// A simulation with cell model `K` in precision `T`.
pub struct Engine<T, K, const G: usize> {
    pub(super) division: Division,
    /// Numbers of this rank's tiles.
    pub(super) own: Vec<usize>,
    pub(super) tiles: Vec<Mutex<Tile<T, G>>>,
    pub(super) kinetics: Vec<K>,
    pub(super) timetable: Box<dyn Timetable>,
    pub(super) pace: Pace,
    pub(super) links: Vec<Links>,
    /// Ranks that messages come from and go to, with what is in a message.
    pub(super) incoming: Vec<usize>,
    pub(super) outgoing: Vec<(usize, Vec<Parcel>)>,
    outboxes: [Vec<RwLock<Vec<T>>>; 2],
    inbox: RwLock<Vec<Vec<T>>>,
    /// Blocks that each tile has done in this advance.
    done: Vec<AtomicU64>,
    team: Team,
    /// First tile of each thread.
    shares: Vec<usize>,
    pub(super) counters: Mutex<Counters>,
}

/// Where a tile's ghosts come from, and what others want of it.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Ghosts from tiles of this rank.
    pub(super) near: Vec<Piece>,
    /// Ghosts from other ranks.
    pub(super) far: Vec<Piece>,
    /// What the outbox holds, one after the other.
    pub(super) wanted: Vec<(Copy, Vec<Stretch>)>,
    outbox: usize,
}

/// Ghosts that come from one place.
#[derive(Debug)]
pub(super) struct Piece {
    /// Tile or message, and position in its outbox or in it.
    pub(super) from: usize,
    pub(super) start: usize,
    pub(super) copy: Copy,
    /// Where they go.
    to: Vec<Stretch>,
}

/// A part of a tile's outbox, as it goes into a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parcel {
    pub(super) tile: usize,
    pub(super) start: usize,
    pub(super) len: usize,
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> Engine<T, K, G> {
    /// From the tiles of this rank, in the order of `division`.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        rank: usize,
        division: Division,
        tiles: Vec<Tile<T, G>>,
        kinetics: Vec<K>,
        timetable: Box<dyn Timetable>,
        pace: Pace,
        depth: [usize; 3],
        team: Team,
    ) -> Self {
        let own = division.of_rank(rank);
        let fields = pace.fields(G);
        let Plan {
            links,
            incoming,
            outgoing,
        } = Plan::new(&division, rank, depth, fields, &tiles);
        let boxes = || {
            let zero = T::from_f64(0.0);
            links
                .iter()
                .map(|l| RwLock::new(vec![zero; l.outbox]))
                .collect()
        };
        let shares = shares(&division, &own, team.threads());
        Self {
            outboxes: [boxes(), boxes()],
            inbox: RwLock::new(Vec::new()),
            done: own.iter().map(|_| AtomicU64::new(0)).collect(),
            tiles: tiles.into_iter().map(Mutex::new).collect(),
            own,
            division,
            kinetics,
            timetable,
            pace,
            links,
            incoming,
            outgoing,
            team,
            shares,
            counters: Mutex::new(Counters::default()),
        }
    }

    /// Advances all tiles of all ranks by `steps` steps from step `first` on. Collective.
    pub fn advance(&self, comm: &dyn Communicator, first: u64, steps: u64) {
        for done in &self.done {
            done.store(0, Ordering::Relaxed);
        }
        self.team.run(
            |thread, barrier| self.work(thread, barrier, None, first, steps),
            |barrier| self.work(0, barrier, Some(comm), first, steps),
        );
    }

    /// What one thread does; the leading one has the communicator.
    fn work(
        &self,
        thread: usize,
        barrier: &Barrier,
        comm: Option<&dyn Communicator>,
        first: u64,
        steps: u64,
    ) {
        for tile in self.shares[thread]..self.shares[thread + 1] {
            self.pack(tile, &lock(&self.tiles[tile]), 0);
        }
        barrier.wait();
        let alone = self.incoming.is_empty() && self.outgoing.is_empty();
        let (mut step, end, mut number) = (first, first + steps, 0);
        while step < end {
            let count = (self.pace.steps_per_exchange as u64).min(end - step);
            let block = self.block(step, count as usize);
            let inner = |links: &Links| links.far.is_empty();
            if let Some(comm) = comm.filter(|_| !alone) {
                self.exchange(comm, number, || self.process(thread, number, &block, inner));
            } else {
                self.process(thread, number, &block, inner);
            }
            barrier.wait();
            if !alone {
                self.process(thread, number, &block, |links| !inner(links));
                barrier.wait();
            }
            step += count;
            number += 1;
        }
    }

    pub(super) fn block(&self, first: u64, count: usize) -> Block {
        let mut stimuli = vec![Vec::new(); count];
        for (step, on) in stimuli.iter_mut().enumerate() {
            self.timetable.active(first + step as u64, on);
        }
        Block {
            first,
            dt: self.pace.dt,
            stimuli,
            heun: self.pace.heun,
        }
    }

    /// Advances the tiles that are `wanted` and not done yet: first this thread's own, whose data
    /// lie in its cache, then what others have not begun.
    fn process(&self, thread: usize, number: u64, block: &Block, wanted: impl Fn(&Links) -> bool) {
        let n = self.own.len();
        for i in 0..n {
            let tile = (self.shares[thread] + i) % n;
            let claimed = wanted(&self.links[tile])
                && self.done[tile]
                    .compare_exchange(number, number + 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok();
            if claimed {
                let mut state = lock(&self.tiles[tile]);
                let parity = (number % 2) as usize;
                self.unpack(tile, &mut state, parity);
                advance_at(self.pace.level, &mut state, &self.kinetics, block);
                self.pack(tile, &state, 1 - parity);
            }
        }
    }

    /// Sends what other ranks want of the last block and receives from them.
    fn exchange(&self, comm: &dyn Communicator, number: u64, mut meanwhile: impl FnMut()) {
        let begun = std::time::Instant::now();
        let parity = (number % 2) as usize;
        let messages: Vec<(usize, Vec<u8>)> = self
            .outgoing
            .iter()
            .map(|(rank, parcels)| {
                let mut bytes = Vec::new();
                for parcel in parcels {
                    let outbox = read(&self.outboxes[parity][parcel.tile]);
                    let values = &outbox[parcel.start..parcel.start + parcel.len];
                    bytes.extend_from_slice(bytemuck::cast_slice(values));
                }
                (*rank, bytes)
            })
            .collect();
        let received = comm.exchange(&messages, &self.incoming, &mut meanwhile);
        let mut inbox = self.inbox.write().unwrap_or_else(PoisonError::into_inner);
        *inbox = received.iter().map(|bytes| from_bytes(bytes)).collect();
        let mut counters = lock(&self.counters);
        counters.exchanges += 1;
        counters.messages += messages.len() as u64;
        counters.bytes_sent += messages.iter().map(|(_, b)| b.len() as u64).sum::<u64>();
        counters.exchange_s += begun.elapsed().as_secs_f64();
    }

    /// Copies what other tiles want of this one to its outbox.
    fn pack(&self, number: usize, tile: &Tile<T, G>, parity: usize) {
        let links = &self.links[number];
        if links.outbox == 0 {
            return;
        }
        let mut outbox = self.outboxes[parity][number]
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut end = 0;
        for (_, stretches) in &links.wanted {
            for field in 0..self.fields() {
                let values = if field == 0 {
                    &tile.u[tile.now]
                } else {
                    &tile.gates[field - 1]
                };
                for cells in stretches {
                    let begun = end;
                    end += cells.len();
                    outbox[begun..end].copy_from_slice(&values[cells.clone()]);
                }
            }
        }
    }

    /// Fills the ghosts of a tile.
    fn unpack(&self, number: usize, tile: &mut Tile<T, G>, parity: usize) {
        let links = &self.links[number];
        for piece in &links.near {
            let outbox = read(&self.outboxes[parity][piece.from]);
            self.fill(tile, piece, &outbox);
        }
        if !links.far.is_empty() {
            let inbox = read(&self.inbox);
            for piece in &links.far {
                self.fill(tile, piece, &inbox[piece.from]);
            }
        }
        tile.mirror_columns();
    }

    fn fill(&self, tile: &mut Tile<T, G>, piece: &Piece, from: &[T]) {
        let mut end = piece.start;
        for field in 0..self.fields() {
            let values = match field {
                0 => &mut tile.u[tile.now],
                _ => &mut tile.gates[field - 1],
            };
            for cells in &piece.to {
                let begun = end;
                end += cells.len();
                values[cells.clone()].copy_from_slice(&from[begun..end]);
            }
        }
    }

    pub(super) fn fields(&self) -> usize {
        self.pace.fields(G)
    }

    /// What was exchanged so far.
    pub fn counters(&self) -> Counters {
        *lock(&self.counters)
    }
}

/// All of a rank's links, and its messages.
struct Plan {
    links: Vec<Links>,
    incoming: Vec<usize>,
    outgoing: Vec<(usize, Vec<Parcel>)>,
}

impl Plan {
    /// `tiles`: those of this rank.
    fn new<T: Float, const G: usize>(
        division: &Division,
        rank: usize,
        depth: [usize; 3],
        fields: usize,
        tiles: &[Tile<T, G>],
    ) -> Self {
        let index = TileIndex::new(division);
        let own = division.of_rank(rank);
        let mut place = vec![usize::MAX; division.tiles.len()];
        for (i, t) in own.iter().enumerate() {
            place[*t] = i;
        }
        let owner = |t: usize| division.tiles[t].owner as usize;
        let mut links: Vec<Links> = own.iter().map(|_| Links::default()).collect();
        let mut incoming: Vec<usize> = Vec::new();
        let mut outgoing: std::collections::BTreeMap<usize, Vec<Parcel>> = Default::default();
        let mut lengths: Vec<usize> = Vec::new();
        // Both sides of a message list its copies in this order: by tile that wants, then as
        // `copies_to` has them.
        for to in 0..division.tiles.len() {
            for copy in copies_to(division, &index, to, depth) {
                let (sender, receiver) = (owner(copy.from), owner(to));
                let length =
                    |cells: &[Stretch]| fields * cells.iter().map(Stretch::len).sum::<usize>();
                let there = |copy: &Copy| tiles[place[to]].stretches(copy.target, copy.size);
                if sender == rank {
                    let tile = place[copy.from];
                    let cells = tiles[tile].stretches(copy.source, copy.size);
                    let (start, len) = (links[tile].outbox, length(&cells));
                    if len == 0 {
                        continue;
                    }
                    links[tile].outbox += len;
                    links[tile].wanted.push((copy.clone(), cells));
                    if receiver == rank {
                        let to = place[to];
                        let piece = Piece {
                            from: tile,
                            start,
                            to: there(&copy),
                            copy,
                        };
                        links[to].near.push(piece);
                    } else {
                        let parcel = Parcel { tile, start, len };
                        outgoing.entry(receiver).or_default().push(parcel);
                    }
                } else if receiver == rank {
                    let cells = there(&copy);
                    let len = length(&cells);
                    if len == 0 {
                        continue;
                    }
                    let message = incoming.iter().position(|r| *r == sender);
                    let message = message.unwrap_or_else(|| {
                        incoming.push(sender);
                        lengths.push(0);
                        incoming.len() - 1
                    });
                    let piece = Piece {
                        from: message,
                        start: lengths[message],
                        copy,
                        to: cells,
                    };
                    links[place[to]].far.push(piece);
                    lengths[message] += len;
                }
            }
        }
        Self {
            links,
            incoming,
            outgoing: outgoing.into_iter().collect(),
        }
    }
}

/// First tile of each thread, and the end: equal numbers of active cells.
fn shares(division: &Division, own: &[usize], threads: usize) -> Vec<usize> {
    let work: Vec<u64> = own.iter().map(|t| division.tiles[*t].active).collect();
    let total: u64 = work.iter().sum();
    let mut shares = vec![0];
    let mut sum = 0;
    for (tile, cells) in work.iter().enumerate() {
        // A tile goes to the thread in whose share its middle lies.
        let thread = (2 * sum + cells) as u128 * threads as u128 / (2 * total).max(1) as u128;
        while shares.len() <= (thread as usize).min(threads - 1) {
            shares.push(tile);
        }
        sum += cells;
    }
    while shares.len() <= threads {
        shares.push(own.len());
    }
    shares
}

/// A panic of another thread ends the team by itself; the data behind the lock are whole.
pub(super) fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<V>(lock: &RwLock<V>) -> std::sync::RwLockReadGuard<'_, V> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}
