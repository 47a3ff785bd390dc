//! Ranks over MPI; the only file that knows the crate `mpi`.
//!
//! MPI counts in C `int`s, so a long message travels in pieces. Its length is not sent ahead: a
//! piece shorter than its limit is the last one. Limits are known to both sides (see
//! [`FIRST_PIECE`]), so an ordinary message is one MPI message with its receive posted early.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread::ThreadId;

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::Equivalence;
use mpi::environment::Universe;
use mpi::topology::{Process, SimpleCommunicator};
use mpi::traits::{Communicator as _, CommunicatorCollectives, Destination, Root, Source};

use super::Communicator;
use super::collective::assert_one_part_per_rank;
use crate::error::{Error, Result};

/// Variables by which launchers tell a process its rank: Open MPI, PMIx (Slurm, PRRTE), PMI
/// (MPICH, Intel MPI, Slurm), MVAPICH, Cray PALS and ALPS. Slurm's own `SLURM_PROCID` is not among
/// them: it is also set in a job script, outside `srun`.
const LAUNCHER_VARIABLES: [&str; 6] = [
    "OMPI_COMM_WORLD_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "MV2_COMM_WORLD_RANK",
    "PALS_RANKID",
    "ALPS_APP_PE",
];

/// Longest MPI message, bytes; below i32::MAX / 2.
const PIECE: usize = 1 << 30;

/// Bounds of the first piece of an exchanged message, bytes. Between them it is one byte more than
/// the longest message so far on that way, which both ends know: a message no longer than an
/// earlier one finds its receive posted and needs no second piece.
const FIRST_PIECE: [usize; 2] = [4 << 10, 16 << 20];

const TAG_EXCHANGE: i32 = 1;
const TAG_COLLECTIVE: i32 = 2;

/// Whether an MPI launcher (mpirun, mpiexec, srun) started this process.
pub fn launched() -> bool {
    LAUNCHER_VARIABLES
        .iter()
        .any(|name| std::env::var_os(name).is_some())
}

/// Name and version of the MPI library; may be called before [`start`].
pub fn library_version() -> String {
    let text = mpi::environment::library_version().unwrap_or_default();
    // "Open MPI v4.1.4, package: …", "MPICH Version:      4.0.2\nMPICH Release date: …"
    let end = text.find([',', '\n', '\0']).unwrap_or(text.len());
    let words: Vec<&str> = text[..end].split_whitespace().collect();
    words.join(" ")
}

/// Initialises MPI, once per process, on the thread that will do all communication.
pub fn start() -> Result<World> {
    // Other threads compute, but never call MPI.
    let Some((universe, provided)) = mpi::initialize_with_threading(Threading::Funneled) else {
        return Err(Error::Bug("MPI started twice".into()));
    };
    if provided < Threading::Funneled {
        return Err(Error::bad_data(
            library_version(),
            "does not allow a process to have threads",
            "use an MPI library built with MPI_THREAD_FUNNELED",
        ));
    }
    let world = universe.world();
    let (rank, size) = (world.rank() as usize, world.size() as usize);
    let node_rank = world.split_shared(world.rank()).rank() as usize;
    Ok(World {
        world,
        rank,
        size,
        node_rank,
        thread: std::thread::current().id(),
        piece: PIECE,
        longest_sent: Mutex::new(vec![0; size]),
        longest_received: Mutex::new(vec![0; size]),
        _universe: universe,
    })
}

/// All ranks of the launch. Dropping it finalises MPI; a process that exits without dropping it
/// makes the launcher complain and end the other ranks.
pub struct World {
    world: SimpleCommunicator,
    rank: usize,
    size: usize,
    node_rank: usize,
    thread: ThreadId,
    piece: usize,
    /// Longest message so far to and from each rank, by which the first pieces are sized.
    longest_sent: Mutex<Vec<usize>>,
    longest_received: Mutex<Vec<usize>>,
    /// Last field: finalises after the communicator is gone.
    _universe: Universe,
}

// SAFETY: `SimpleCommunicator` is a handle that MPI allows any thread to hold; it is not `Send`
// only because a call at level Funneled must come from the thread that started MPI. `World::mpi`,
// the only access to it but for `abort`, checks that at every call.
unsafe impl Send for World {}
// SAFETY: as above.
unsafe impl Sync for World {}

impl World {
    /// Sends long messages in pieces of at most `bytes` (1 to 2³⁰), on all ranks alike; small
    /// pieces are for tests.
    pub fn with_pieces_of(mut self, bytes: usize) -> Self {
        self.piece = bytes.clamp(1, PIECE);
        self
    }

    fn mpi(&self) -> &SimpleCommunicator {
        assert!(
            std::thread::current().id() == self.thread,
            "MPI called from a thread that did not start it"
        );
        &self.world
    }

    fn process(&self, rank: usize) -> Process<'_> {
        self.mpi().process_at_rank(rank as i32)
    }

    fn first_limit(&self, longest: usize) -> usize {
        (longest + 1)
            .clamp(FIRST_PIECE[0], FIRST_PIECE[1])
            .min(self.piece)
    }

    /// Pieces of a message whose first one is limited to `first` bytes; the last one is shorter
    /// than its limit, possibly empty.
    fn pieces<'a>(&self, bytes: &'a [u8], first: usize) -> Vec<&'a [u8]> {
        let (mut rest, mut limit) = (bytes, first);
        let mut pieces = Vec::with_capacity(1);
        while rest.len() >= limit {
            let (piece, after) = rest.split_at(limit);
            pieces.push(piece);
            (rest, limit) = (after, self.piece);
        }
        pieces.push(rest);
        pieces
    }

    /// Limits of the first pieces of messages to or from `ranks`.
    fn limits(
        &self,
        longest: &Mutex<Vec<usize>>,
        ranks: impl Iterator<Item = usize>,
    ) -> Vec<usize> {
        let longest = lock(longest);
        ranks.map(|r| self.first_limit(longest[r])).collect()
    }

    fn reduce<V: Equivalence + Copy + Default>(&self, values: &mut [V], op: SystemOperation) {
        for part in values.chunks_mut(PIECE / size_of::<V>()) {
            let mut result = vec![V::default(); part.len()];
            self.mpi().all_reduce_into(&part[..], &mut result[..], op);
            part.copy_from_slice(&result);
        }
    }

    /// Sends a message whose length the receiver knows.
    fn send_known(&self, to: usize, bytes: &[u8]) {
        for piece in bytes.chunks(self.piece) {
            self.process(to).send_with_tag(piece, TAG_COLLECTIVE);
        }
    }

    fn receive_known(&self, from: usize, len: u64) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        for piece in bytes.chunks_mut(self.piece) {
            self.process(from)
                .receive_into_with_tag(piece, TAG_COLLECTIVE);
        }
        bytes
    }
}

fn lock(values: &Mutex<Vec<usize>>) -> std::sync::MutexGuard<'_, Vec<usize>> {
    values
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn remember(longest: &Mutex<Vec<usize>>, lens: impl Iterator<Item = (usize, usize)>) {
    let mut longest = lock(longest);
    for (rank, len) in lens {
        longest[rank] = longest[rank].max(len);
    }
}

impl Communicator for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn node_rank(&self) -> usize {
        self.node_rank
    }

    fn barrier(&self) {
        self.mpi().barrier();
    }

    fn max_f64(&self, values: &mut [f64]) {
        self.reduce(values, SystemOperation::max());
    }

    fn min_f64(&self, values: &mut [f64]) {
        self.reduce(values, SystemOperation::min());
    }

    fn sum_f64(&self, values: &mut [f64]) {
        self.reduce(values, SystemOperation::sum());
    }

    fn sum_u64(&self, values: &mut [u64]) {
        self.reduce(values, SystemOperation::sum());
    }

    fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) {
        let root_process = self.process(root);
        let mut len = bytes.len() as u64;
        root_process.broadcast_into(&mut len);
        if self.rank != root {
            *bytes = vec![0; len as usize];
        }
        for piece in bytes.chunks_mut(self.piece) {
            root_process.broadcast_into(piece);
        }
    }

    fn gather(&self, root: usize, bytes: &[u8]) -> Vec<Vec<u8>> {
        let root_process = self.process(root);
        let len = bytes.len() as u64;
        if self.rank != root {
            root_process.gather_into(&len);
            self.send_known(root, bytes);
            return Vec::new();
        }
        let mut lens = vec![0u64; self.size];
        root_process.gather_into_root(&len, &mut lens[..]);
        (0..self.size)
            .map(|from| {
                if from == root {
                    bytes.to_vec()
                } else {
                    self.receive_known(from, lens[from])
                }
            })
            .collect()
    }

    fn scatter(&self, root: usize, mut parts: Vec<Vec<u8>>) -> Vec<u8> {
        let root_process = self.process(root);
        let mut len = 0u64;
        if self.rank != root {
            root_process.scatter_into(&mut len);
            return self.receive_known(root, len);
        }
        assert_one_part_per_rank(self, &parts);
        let lens: Vec<u64> = parts.iter().map(|p| p.len() as u64).collect();
        root_process.scatter_into_root(&lens[..], &mut len);
        for (to, part) in parts.iter().enumerate() {
            if to != root {
                self.send_known(to, part);
            }
        }
        parts.swap_remove(root)
    }

    fn exchange(
        &self,
        outgoing: &[(usize, Vec<u8>)],
        incoming: &[usize],
        meanwhile: &mut dyn FnMut(),
    ) -> Vec<Vec<u8>> {
        let send_limits = self.limits(&self.longest_sent, outgoing.iter().map(|(to, _)| *to));
        let receive_limits = self.limits(&self.longest_received, incoming.iter().copied());
        let pieces: Vec<(usize, &[u8])> = outgoing
            .iter()
            .zip(&send_limits)
            .flat_map(|((to, bytes), limit)| {
                let pieces = self.pieces(bytes, *limit).into_iter();
                pieces.map(|piece| (*to, piece))
            })
            .collect();
        let mut messages: Vec<Vec<u8>> = receive_limits.iter().map(|n| vec![0; *n]).collect();
        let mut rests: Vec<Vec<u8>> = vec![Vec::new(); incoming.len()];
        let mut first_lens = Vec::with_capacity(incoming.len());

        // An unfinished request must never be dropped (rsmpi ends the process): nothing between
        // here and the end of the scope returns early, and a panic of `meanwhile` waits its turn.
        let outcome = mpi::request::scope(|scope| {
            let receives: Vec<_> = incoming
                .iter()
                .zip(&mut messages)
                .map(|(from, buffer)| {
                    self.process(*from).immediate_receive_into_with_tag(
                        scope,
                        &mut buffer[..],
                        TAG_EXCHANGE,
                    )
                })
                .collect();
            let sends: Vec<_> = pieces
                .iter()
                .map(|(to, piece)| {
                    self.process(*to)
                        .immediate_send_with_tag(scope, *piece, TAG_EXCHANGE)
                })
                .collect();
            let outcome = catch_unwind(AssertUnwindSafe(meanwhile));
            for (i, receive) in receives.into_iter().enumerate() {
                let mut len = receive.wait().count(u8::equivalent_datatype()) as usize;
                first_lens.push(len);
                let mut limit = receive_limits[i];
                while len == limit {
                    let (message, status) = self
                        .process(incoming[i])
                        .matched_probe_with_tag(TAG_EXCHANGE);
                    len = status.count(u8::equivalent_datatype()) as usize;
                    limit = self.piece;
                    let start = rests[i].len();
                    rests[i].resize(start + len, 0);
                    message.matched_receive_into(&mut rests[i][start..]);
                }
            }
            for send in sends {
                send.wait_without_status();
            }
            outcome
        });

        for ((message, first_len), rest) in messages.iter_mut().zip(first_lens).zip(&rests) {
            message.truncate(first_len);
            message.extend_from_slice(rest);
        }
        let sent = outgoing.iter().map(|(to, bytes)| (*to, bytes.len()));
        remember(&self.longest_sent, sent);
        let received = messages.iter().map(Vec::len);
        remember(
            &self.longest_received,
            incoming.iter().copied().zip(received),
        );
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
        messages
    }

    /// May come from any thread: the process ends here.
    fn abort(&self, exit_code: u8) -> ! {
        self.world.abort(i32::from(exit_code))
    }
}
