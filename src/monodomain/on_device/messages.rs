//! Ghosts: copies within a rank, and messages between ranks that go through the host.

use super::engine::{DeviceEngine, State};
use super::parameters::Copy;
use super::tile::DeviceTile;
use crate::comm::from_bytes;
use crate::device::{Argument, Array, Device, Launch};
use crate::error::Result;
use crate::ionic::Kinetics;
use crate::monodomain::engine::{Engine, Parcel, lock};
use crate::monodomain::ghosts;
use crate::monodomain::layout::Layout;
use crate::real::Float;

/// A copy between the array of a tile's field and a message: tile, field, cells.
type Part = (usize, usize, Copy);

/// Cells that go to or come from one rank.
pub struct Message<T> {
    pub values: Array<T>,
    /// Tile, field, and the copy between its array and the message.
    pub parts: Vec<Part>,
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> DeviceEngine<T, K, G> {
    /// Ghosts from tiles of this rank.
    pub(super) fn copy_near(&self, state: &State<T, G>) -> Result<()> {
        for (to, links) in self.host.links.iter().enumerate() {
            for piece in &links.near {
                let copy = &piece.copy;
                for field in 0..self.host.fields() {
                    let (from, to) = (&state.tiles[piece.from], &state.tiles[to]);
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

    pub(super) fn copy_box(&self, copy: Copy, from: &Array<T>, to: &Array<T>) -> Result<()> {
        let cells = copy.size.iter().map(|n| *n as usize).product();
        let arguments = [Argument::of(copy), from.argument(), to.argument()];
        self.launch(
            Launch::over(self.kernels.get("copy_box")?, cells),
            &arguments,
        )
    }

    /// The messages to other ranks.
    pub(super) fn pack(&self, state: &State<T, G>) -> Result<Vec<Vec<u8>>> {
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
    pub(super) fn unpack(&self, state: &State<T, G>, received: &[Vec<u8>]) -> Result<()> {
        for (message, bytes) in state.incoming.iter().zip(received) {
            let values: Vec<T> = from_bytes(bytes);
            message.values.write(&*self.device, &values)?;
            for (tile, field, copy) in &message.parts {
                self.copy_box(*copy, &message.values, state.tiles[*tile].field(*field))?;
            }
        }
        Ok(())
    }

    pub(super) fn count_exchange(&self, messages: &[(usize, Vec<u8>)], seconds: f64) {
        let mut counters = lock(&self.host.counters);
        counters.exchanges += 1;
        counters.messages += messages.len() as u64;
        counters.bytes_sent += messages.iter().map(|(_, b)| b.len() as u64).sum::<u64>();
        counters.exchange_s += seconds;
    }
}

pub(super) fn zeros<T: Float>(message: &Message<T>) -> Vec<u8> {
    vec![0; message.values.len() * size_of::<T>()]
}

/// Position and strides of a box of cells.
pub(super) fn strided(layout: &Layout, cell: [isize; 3]) -> [i32; 3] {
    let at = [layout.index(cell), layout.layer_stride, layout.row_stride];
    at.map(|n| n as i32)
}

/// Position and strides of a box in a message from `start` on.
pub(super) fn in_message(start: usize, copy: &ghosts::Copy) -> [i32; 3] {
    [start, copy.size[1] * copy.size[2], copy.size[2]].map(|n| n as i32)
}

/// The messages to other ranks: parcels, each some boxes of a tile's outbox as the engine has them.
pub(super) fn outgoing<T: Float, K: Kinetics<T, G>, const G: usize>(
    host: &Engine<T, K, G>,
    tiles: &[DeviceTile<T, G>],
    on: &dyn Device,
) -> Result<Vec<Message<T>>> {
    let message = |(_, parcels): &(usize, Vec<Parcel>)| {
        let (mut parts, mut end) = (Vec::new(), 0);
        for parcel in parcels {
            let mut start = 0;
            for (copy, _) in &host.links[parcel.tile].wanted {
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
pub(super) fn incoming<T: Float, K: Kinetics<T, G>, const G: usize>(
    host: &Engine<T, K, G>,
    tiles: &[DeviceTile<T, G>],
    on: &dyn Device,
) -> Result<Vec<Message<T>>> {
    let mut all: Vec<(Vec<Part>, usize)> = host.incoming.iter().map(|_| (Vec::new(), 0)).collect();
    for (tile, links) in host.links.iter().enumerate() {
        for piece in &links.far {
            let copy = &piece.copy;
            let (parts, end) = &mut all[piece.from];
            for field in 0..host.fields() {
                let start = piece.start + field * copy.cells();
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
