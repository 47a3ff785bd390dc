//! What is asked of a simulation on a device beside its steps: fields, probes, the largest u, upstrokes.

use super::engine::DeviceEngine;
use super::parameters::Box as Shape;
use super::tile::DeviceTile;
use crate::comm::{Communicator, agree};
use crate::device::{Argument, Array, Launch};
use crate::error::Result;
use crate::ionic::Kinetics;
use crate::monodomain::activation::{UpstrokeArrays, Upstrokes};
use crate::monodomain::division::Division;
use crate::monodomain::engine::{Counters, Engine, lock};
use crate::monodomain::simulation::{Simulation, Values};
use crate::monodomain::transfer::{largest_of_all, place_in};
use crate::real::Float;

/// Threads that look for the largest |u|.
pub const LOOKERS: usize = 8192;

/// Cells of a tile that are probed.
pub struct Probes<T> {
    /// Places in the list of all.
    pub numbers: Vec<usize>,
    pub positions: Array<i32>,
    pub values: Array<T>,
}

impl<T: Float, K: Kinetics<T, G>, const G: usize> DeviceEngine<T, K, G> {
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

    /// Copies a field on the device and begins to copy that to the host.
    fn snapshot(&self, field: usize) -> Result<()> {
        let (state, on) = (&mut *lock(&self.state), &*self.device);
        if !state.snapshots.contains_key(&field) {
            let tiles = state.tiles.iter();
            let made = tiles.map(|tile| Array::zeros(on, tile.field(field).len()));
            state.snapshots.insert(field, made.collect::<Result<_>>()?);
        }
        // The copy before has ended.
        state.arriving.remove(&field);
        let begin = |(tile, snapshot): (&DeviceTile<T, G>, &Array<T>)| {
            snapshot.copy_from(on, tile.field(field))?;
            snapshot.read_later(on)
        };
        let begun = state.tiles.iter().zip(&state.snapshots[&field]).map(begin);
        let begun = begun.collect::<Result<_>>()?;
        state.arriving.insert(field, begun);
        Ok(())
    }

    /// Brings a field as it was to the engine of the CPU.
    fn arrive(&self, field: usize) -> Result<()> {
        let arriving = lock(&self.state).arriving.remove(&field);
        for (tile, mut arriving) in self.host.tiles.iter().zip(arriving.unwrap_or_default()) {
            let tile = &mut *lock(tile);
            let values = match field {
                0 => &mut tile.u[tile.now],
                _ => &mut tile.gates[field - 1],
            };
            arriving.take(bytemuck::cast_slice_mut(&mut values[..]))?;
        }
        Ok(())
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
        let place = [
            owned / (rows * columns),
            owned / columns % rows,
            owned % columns,
        ];
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
            for (number, value) in probes
                .numbers
                .iter()
                .zip(probes.values.to_vec(&*self.device)?)
            {
                values[*number] = value.value();
            }
        }
        Ok(values)
    }

    fn find_probes(&self, tiles: &[DeviceTile<T, G>], cells: &[usize]) -> Result<Vec<Probes<T>>> {
        let on = &*self.device;
        let of_tile = |(tile, number): (&DeviceTile<T, G>, &usize)| {
            let tile_box = &self.host.division.tiles[*number];
            let (mut numbers, mut positions) = (Vec::new(), Vec::new());
            for (number, cell) in cells.iter().enumerate() {
                if let Some(at) = place_in(tile_box, self.host.division.shape, *cell) {
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

    fn begin_gather(&self, fields: &[usize]) -> bool {
        self.attempt(|| fields.iter().try_for_each(|field| self.snapshot(*field)));
        true
    }

    fn finish_gather(&self, comm: &dyn Communicator, field: usize) -> Option<Values> {
        self.attempt(|| self.arrive(field));
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
        largest_of_all(comm, own)
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
