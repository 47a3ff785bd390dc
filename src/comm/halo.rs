//! Halo exchange: values of owned vertices go to the ranks that hold them as ghosts.

use bytemuck::Pod;

use super::Communicator;
use super::collective::from_bytes;

/// What is exchanged with one neighbouring rank. Both sides list the shared vertices in the same
/// order, so that a position in the list names a vertex on both.
#[derive(Debug, Clone, Default)]
pub struct Neighbour {
    pub rank: usize,
    /// Owned vertices that are ghosts there.
    pub send: Vec<u32>,
    /// Ghosts here that are owned there.
    pub receive: Vec<u32>,
}

/// Halo of one rank.
#[derive(Debug, Clone, Default)]
pub struct Halo {
    neighbours: Vec<Neighbour>,
    /// Vertex v is sent as `sends[offsets[v]..offsets[v + 1]]`: (neighbour, position).
    offsets: Vec<u32>,
    sends: Vec<(u32, u32)>,
}

/// What went over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Exchanges (rounds) that this rank took part in.
    pub exchanges: u64,
    /// Messages with content that this rank sent.
    pub messages: u64,
    /// Bytes that this rank sent.
    pub bytes_sent: u64,
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.exchanges += other.exchanges;
        self.messages += other.messages;
        self.bytes_sent += other.bytes_sent;
    }
}

impl Halo {
    /// Plan for a rank that owns `owned` vertices.
    pub fn new(owned: usize, neighbours: Vec<Neighbour>) -> Self {
        let mut offsets = vec![0u32; owned + 1];
        for v in neighbours.iter().flat_map(|n| &n.send) {
            offsets[*v as usize + 1] += 1;
        }
        for v in 0..owned {
            offsets[v + 1] += offsets[v];
        }
        let mut next = offsets.clone();
        let mut sends = vec![(0, 0); offsets[owned] as usize];
        for (n, neighbour) in (0u32..).zip(&neighbours) {
            for (position, v) in (0u32..).zip(&neighbour.send) {
                let slot = &mut next[*v as usize];
                sends[*slot as usize] = (n, position);
                *slot += 1;
            }
        }
        Self {
            neighbours,
            offsets,
            sends,
        }
    }

    /// The ranks that share vertices with this one.
    pub fn neighbours(&self) -> &[Neighbour] {
        &self.neighbours
    }

    /// Whether another rank holds owned vertex `v` as a ghost.
    #[inline(always)]
    pub fn is_shared(&self, v: u32) -> bool {
        let v = v as usize;
        v + 1 < self.offsets.len() && self.offsets[v] < self.offsets[v + 1]
    }

    /// How many ranks hold owned vertex `v` as a ghost.
    pub fn holders(&self, v: u32) -> u32 {
        self.offsets[v as usize + 1] - self.offsets[v as usize]
    }

    /// Sends the `width` values of each vertex in `changed` (owned; those not shared are passed
    /// over; `values` holds them in the order of `changed`) and calls `receive(ghost, values)` for
    /// each ghost that changed elsewhere. Collective.
    pub fn update<T: Pod>(
        &self,
        comm: &dyn Communicator,
        changed: &[u32],
        values: &[T],
        width: usize,
        traffic: &mut Traffic,
        mut receive: impl FnMut(u32, &[T]),
    ) {
        let mut positions = vec![Vec::<u32>::new(); self.neighbours.len()];
        let mut payload = vec![Vec::<T>::new(); self.neighbours.len()];
        for (&v, value) in changed.iter().zip(values.chunks_exact(width)) {
            if !self.is_shared(v) {
                continue;
            }
            let range = self.offsets[v as usize] as usize..self.offsets[v as usize + 1] as usize;
            for &(n, position) in &self.sends[range] {
                positions[n as usize].push(position);
                payload[n as usize].extend_from_slice(value);
            }
        }
        let outgoing: Vec<(usize, Vec<u8>)> = self
            .neighbours
            .iter()
            .zip(positions.iter().zip(&payload))
            .map(|(neighbour, (positions, payload))| {
                let mut bytes = bytemuck::cast_slice(positions).to_vec();
                bytes.extend_from_slice(bytemuck::cast_slice(payload));
                traffic.messages += u64::from(!bytes.is_empty());
                traffic.bytes_sent += bytes.len() as u64;
                (neighbour.rank, bytes)
            })
            .collect();
        traffic.exchanges += 1;
        let incoming: Vec<usize> = self.neighbours.iter().map(|n| n.rank).collect();
        let received = comm.exchange(&outgoing, &incoming, &mut || {});
        for (neighbour, bytes) in self.neighbours.iter().zip(&received) {
            let count = bytes.len() / (4 + width * size_of::<T>());
            let (positions, payload) = bytes.split_at(4 * count);
            let positions: Vec<u32> = from_bytes(positions);
            let payload: Vec<T> = from_bytes(payload);
            for (position, values) in positions.iter().zip(payload.chunks_exact(width)) {
                receive(neighbour.receive[*position as usize], values);
            }
        }
    }
}
