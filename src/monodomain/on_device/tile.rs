//! A tile on the device: its arrays, and the launches that advance it.

use std::sync::Arc;

use super::moves::Pass;
use super::parameters::{Box, Extent, Place, Recorder};
use super::recorder::Upstrokes;
use super::scheme::Scheme;
use crate::device::{Argument, Array, BLOCK, Device, Kernels, Launch};
use crate::error::{Error, Result};
use crate::monodomain::activation::{UpstrokeArrays, UpstrokeOptions};
use crate::monodomain::layout::{LANES, Layout};
use crate::monodomain::options::StimulusKind;
use crate::monodomain::stencil::Stencil;
use crate::monodomain::tile::{Edges, Tile};
use crate::real::Float;

/// Sides of the regions of `march_plane`, and the cells of a thread (`march.cu`).
const PLANE: u32 = 64;
const PLANE_BLOCK: [u32; 3] = [32, 16, 1];
/// Steps of a march in 2D: more cost more margin, fewer more memory. Few blocks leave the device
/// idle and the launch is what takes time.
const PLANE_STEPS: [usize; 2] = [4, 8];
const FEW_BLOCKS: usize = 264;
/// Steps of a march of a grid that is one region, without margin.
const WHOLE_STEPS: usize = 64;
/// Columns of the regions of `march_solid`, its steps, and layers of a block of threads.
const SOLID_COLUMNS: u32 = 32;
const SOLID_STEPS: u32 = 2;
const SOLID_LAYERS: u32 = 64;

/// A tile in the memory of a device.
pub struct DeviceTile<T, const G: usize> {
    device: Arc<dyn Device>,
    kernels: Arc<Kernels>,
    pub layout: Layout,
    pub edges: Edges,
    shape: Box,
    stencil: Scheme<T>,
    /// Constants of the parameter sets, one after the other, and those of the first.
    sets: Array<T>,
    first_set: Argument,
    pub u: [Array<T>; 2],
    pub gates: [[Array<T>; G]; 2],
    /// Which of the two copies is now.
    pub now: usize,
    pub gates_now: usize,
    begun: Option<(Array<T>, [Array<T>; G])>,
    stimuli: Vec<(usize, Stimulus<T>)>,
    recorder: Recorder,
    upstrokes: Option<Upstrokes>,
}

struct Stimulus<T> {
    kind: StimulusKind,
    value: T,
    cells: Array<Place>,
}

impl<T: Float, const G: usize> DeviceTile<T, G> {
    /// A copy of a tile. `sets`: constants of each parameter set.
    ///
    /// # Errors
    /// Of the device; a tile with more cells than 32 bits number.
    pub fn new(
        device: &Arc<dyn Device>,
        kernels: &Arc<Kernels>,
        tile: &Tile<T, G>,
        sets: &[Vec<T>],
        dt: f64,
    ) -> Result<Self> {
        let on = &**device;
        let layout = tile.layout.clone();
        if layout.len >= i32::MAX as usize {
            return Err(Error::bad_data(
                "fk.grid",
                format!(
                    "a tile of {:?} cells is too large for a device",
                    layout.size
                ),
                "use more ranks, or fk.tile with fewer cells",
            ));
        }
        let copy = |values: &[T]| Array::of(on, values);
        let copies = |tile: &Tile<T, G>| -> Result<[Array<T>; G]> {
            let all: Result<Vec<_>> = tile.gates.iter().map(|gate| copy(gate)).collect();
            let all: Result<[Array<T>; G], _> = all?.try_into();
            all.map_err(|_| Error::Bug("gates of a tile".into()))
        };
        let begun = match &tile.begun {
            Some((u, _)) => Some((copy(u)?, copies(tile)?)),
            None => None,
        };
        let stimuli = tile.stimuli.iter().map(|(number, applied)| {
            let rows = layout.size[1] + 2 * layout.ghost[1];
            let ghost = layout.ghost.map(|g| g as isize);
            let cells = applied.runs.iter().flat_map(|&(row, low, high)| {
                let place = [
                    (row / rows) as isize - ghost[0],
                    (row % rows) as isize - ghost[1],
                ];
                (low..high).map(move |column| [place[0], place[1], column])
            });
            let cells: Vec<Place> = cells.map(|cell| Place::new(&layout, cell)).collect();
            let stimulus = Stimulus {
                kind: applied.kind,
                value: applied.value,
                cells: Array::of(on, &cells)?,
            };
            Ok((*number, stimulus))
        });
        let stimuli = stimuli.collect::<Result<_>>()?;
        let upstrokes = match &tile.upstrokes {
            Some(upstrokes) => Some(Upstrokes::new(
                on,
                upstrokes.options(),
                &upstrokes.arrays(),
            )?),
            None => None,
        };
        Ok(Self {
            shape: Box::new(&layout, &tile.edges),
            stencil: Scheme::new(on, tile)?,
            first_set: Argument::from_bytes(bytemuck::cast_slice(&sets[0])),
            sets: Array::of(on, &sets.concat())?,
            u: [copy(&tile.u[0])?, copy(&tile.u[1])?],
            gates: [copies(tile)?, copies(tile)?],
            now: tile.now,
            gates_now: 0,
            begun,
            stimuli,
            recorder: upstrokes
                .as_ref()
                .map_or_else(Recorder::default, |u| u.recorder(dt)),
            upstrokes,
            edges: tile.edges,
            layout,
            device: Arc::clone(device),
            kernels: Arc::clone(kernels),
        })
    }

    /// Bytes on the device for a tile like this.
    pub fn bytes(tile: &Tile<T, G>) -> usize {
        let arrays = 2 + 2 * G + if tile.begun.is_some() { 1 + G } else { 0 };
        let weights = match &tile.stencil {
            Stencil::Uniform(_) => 0,
            Stencil::Pairs(pairs) => pairs.all().count() + 1,
            Stencil::Cardiax(_) => 4,
        };
        let recorded = tile.upstrokes.as_ref().map_or(0, |u| {
            let options = u.options();
            20 + 8 * options.keep + if options.apd_level.is_some() { 12 } else { 0 }
        });
        (arrays + weights) * tile.layout.len * size_of::<T>() + recorded * tile.layout.owned()
    }

    /// u or a gate as it is now.
    pub fn field(&self, field: usize) -> &Array<T> {
        match field {
            0 => &self.u[self.now],
            _ => &self.gates[self.gates_now][field - 1],
        }
    }

    /// How many steps a launch may take, where all cells have one D.
    pub fn pass(&self) -> Option<Pass> {
        if !matches!(self.stencil, Scheme::Uniform(_)) || self.begun.is_some() {
            return None;
        }
        if self.is_solid() {
            let steps = SOLID_STEPS as usize;
            return Some(Pass {
                least: steps,
                most: steps,
            });
        }
        let most = if self.is_one_region() {
            WHOLE_STEPS
        } else {
            let [few, many] = PLANE_STEPS;
            let inner = (PLANE as usize) - 2 * many;
            let blocks = self.layout.size[0].div_ceil(inner) * self.layout.size[2].div_ceil(inner);
            if blocks <= FEW_BLOCKS { many } else { few }
        };
        Some(Pass { least: 2, most })
    }

    fn is_solid(&self) -> bool {
        self.layout.size[1] > 1 || self.layout.ghost[1] > 0
    }

    /// A plane grid that fits a region and has no ghosts.
    fn is_one_region(&self) -> bool {
        let fits = [0, 2]
            .iter()
            .all(|a| self.layout.size[*a] <= PLANE as usize);
        fits && self.layout.ghost == [0; 3]
    }

    /// Several steps of the cells of `out`, from the copies that are now to the others: first the
    /// step with number `step` (later by the clock, if there is one).
    pub fn march(
        &self,
        out: &Extent,
        steps: usize,
        step: u64,
        clock: Option<&Array<u64>>,
    ) -> Result<()> {
        let Scheme::Uniform(uniform) = &self.stencil else {
            return Err(Error::Bug("a march of a tile that cannot".into()));
        };
        if out.is_empty() {
            return Ok(());
        }
        let (old, new) = (self.now, 1 - self.now);
        let (gates, gates_new) = (self.gates_now, 1 - self.gates_now);
        let clock = Argument::of(clock.map_or(0, |clock| clock.address(0)));
        let head = [
            Argument::of(self.shape),
            Argument::of(*out),
            uniform.clone(),
            self.first_set.clone(),
        ];
        let tail = [
            Argument::of(step),
            clock,
            self.u[old].argument(),
            self.gate_pointers(gates),
            self.u[new].argument(),
            self.gate_pointers(gates_new),
            Argument::of(self.recorder),
        ];
        let bytes = size_of::<T>() as u32;
        if self.is_solid() {
            let rows = if bytes == 4 { 32 } else { 16 };
            let inner = |n: u32| n - 2 * SOLID_STEPS;
            let launch = Launch {
                kernel: self.kernels.get("march_solid")?,
                grid: [
                    out.len(2).div_ceil(inner(SOLID_COLUMNS)),
                    out.len(1).div_ceil(inner(rows)),
                    out.len(0).div_ceil(SOLID_LAYERS),
                ],
                block: [SOLID_COLUMNS, rows, 1],
                shared: 4 * SOLID_COLUMNS * rows * bytes,
            };
            let own = [Argument::of(SOLID_LAYERS as i32)];
            return self.launch(launch, &[&head, &own, &tail]);
        }
        let name = match self.recorder.on {
            0 => "march_plane",
            _ => "march_plane_recorded",
        };
        let margin = if self.is_one_region() {
            0
        } else {
            steps as u32
        };
        let inner = PLANE - 2 * margin;
        let launch = Launch {
            kernel: self.kernels.get(name)?,
            grid: [out.len(2).div_ceil(inner), out.len(0).div_ceil(inner), 1],
            block: PLANE_BLOCK,
            shared: PLANE * PLANE * bytes,
        };
        let own = [Argument::of(steps as i32), Argument::of(margin as i32)];
        self.launch(launch, &[&head, &own, &tail])
    }

    /// One step of the cells of an extent: u to the other copy, gates in place.
    pub fn step(&self, extent: &Extent) -> Result<()> {
        if extent.is_empty() {
            return Ok(());
        }
        let place = [Argument::of(self.shape), Argument::of(*extent)];
        let fields = [
            self.u[self.now].argument(),
            self.u[1 - self.now].argument(),
            self.gate_pointers(self.gates_now),
        ];
        let (name, argument, blocks) = match &self.stencil {
            Scheme::Uniform(argument) => {
                let stencil = [argument.clone(), self.first_set.clone()];
                let launch = self.over_rows("step_uniform", [0, 1, 2].map(|a| extent.len(a)))?;
                return self.launch(launch, &[&place, &stencil, &fields]);
            }
            Scheme::Pairs {
                argument, blocks, ..
            } => ("step_pairs", argument, blocks),
            Scheme::Cardiax {
                argument, blocks, ..
            } => ("step_cardiax", argument, blocks),
        };
        let count = blocks.places.len();
        let region = blocks.region.as_ref().map_or(0, |r| r.address(0));
        let stencil = [
            argument.clone(),
            blocks.places.argument(),
            Argument::of(count as i32),
            self.sets.argument(),
            Argument::of(region),
        ];
        let launch = Launch::over(self.kernels.get(name)?, count * LANES);
        self.launch(launch, &[&place, &stencil, &fields])
    }

    /// The stimuli that are on, after a step to the other copy of u.
    pub fn stimulate(&self, extent: &Extent, on: &[usize]) -> Result<()> {
        let (old, new) = (&self.u[self.now], &self.u[1 - self.now]);
        for (_, stimulus) in self
            .stimuli
            .iter()
            .filter(|(number, _)| on.contains(number))
        {
            let list = [
                stimulus.cells.argument(),
                Argument::of(stimulus.cells.len() as i32),
                Argument::of(stimulus.value),
            ];
            let extent = [Argument::of(*extent)];
            let over = |name: &str| -> Result<Launch> {
                Ok(Launch::over(self.kernels.get(name)?, stimulus.cells.len()))
            };
            match stimulus.kind {
                StimulusKind::Current => {
                    self.launch(over("add")?, &[&extent, &list, &[new.argument()]])?;
                }
                StimulusKind::Voltage => {
                    self.launch(over("fill")?, &[&extent, &list, &[new.argument()]])?;
                }
                StimulusKind::Replace => {
                    let (name, argument) = match &self.stencil {
                        Scheme::Uniform(argument) => ("replace_uniform", argument),
                        Scheme::Pairs { argument, .. } => ("replace_pairs", argument),
                        Scheme::Cardiax { argument, .. } => ("replace_cardiax", argument),
                    };
                    let shape = [Argument::of(self.shape)];
                    let stencil = [argument.clone()];
                    let u = [old.argument(), new.argument()];
                    self.launch(over(name)?, &[&shape, &extent, &stencil, &list, &u])?;
                }
            }
        }
        Ok(())
    }

    /// Whether a stimulus that is on touches the tile.
    pub fn is_stimulated(&self, on: &[usize]) -> bool {
        self.stimuli.iter().any(|(number, _)| on.contains(number))
    }

    /// The recorder sees a step from `old` to `new`; its number as of [`march`](Self::march).
    pub fn record(
        &self,
        step: u64,
        clock: Option<&Array<u64>>,
        old: &Array<T>,
        new: &Array<T>,
    ) -> Result<()> {
        if self.recorder.on == 0 {
            return Ok(());
        }
        let arguments = [
            Argument::of(self.shape),
            Argument::of(self.recorder),
            Argument::of(step),
            Argument::of(clock.map_or(0, |clock| clock.address(0))),
            old.argument(),
            new.argument(),
        ];
        let size = self.layout.size.map(|n| n as u32);
        let launch = self.over_rows("record", size)?;
        self.launch(launch, &[&arguments])
    }

    /// Heun's method: the mean of the state and two Euler steps, whose stimuli are `on`.
    pub fn heun(&mut self, step: u64, on: &[usize], margin: usize) -> Result<()> {
        let Some((u, gates)) = &self.begun else {
            return Err(Error::Bug("Heun without its copies".into()));
        };
        let device = &*self.device;
        u.copy_from(device, &self.u[self.now])?;
        for (begun, gate) in gates.iter().zip(&self.gates[self.gates_now]) {
            begun.copy_from(device, gate)?;
        }
        for margin in [margin, 0] {
            let extent = Extent::with_margin(&self.layout, &self.edges, margin);
            self.step(&extent)?;
            self.stimulate(&extent, on)?;
            self.now = 1 - self.now;
        }
        let Some((u, gates)) = &self.begun else {
            return Ok(());
        };
        let pairs = gates.iter().zip(&self.gates[self.gates_now]);
        for (begun, field) in std::iter::once((u, &self.u[self.now])).chain(pairs) {
            let count = field.len();
            let launch = Launch::over(self.kernels.get("mean")?, count);
            let arguments = [
                field.argument(),
                begun.argument(),
                Argument::of(count as i32),
            ];
            self.launch(launch, &[&arguments])?;
        }
        // What holds u holds the mean, too: in the copy that is now.
        let whole = Extent {
            low: [i32::MIN; 3],
            high: [i32::MAX; 3],
        };
        for (number, stimulus) in &self.stimuli {
            if stimulus.kind == StimulusKind::Voltage && on.contains(number) {
                let count = stimulus.cells.len();
                let arguments = [
                    Argument::of(whole),
                    stimulus.cells.argument(),
                    Argument::of(count as i32),
                    Argument::of(stimulus.value),
                    self.u[self.now].argument(),
                ];
                self.launch(
                    Launch::over(self.kernels.get("fill")?, count),
                    &[&arguments],
                )?;
            }
        }
        self.record(step, None, u, &self.u[self.now])
    }

    /// State of the recorder.
    pub fn upstrokes(&self) -> Result<Option<(UpstrokeOptions, UpstrokeArrays)>> {
        let of = |u: &Upstrokes| Ok((u.options, u.arrays(&*self.device)?));
        self.upstrokes.as_ref().map(of).transpose()
    }

    /// Sets the recorder.
    pub fn set_upstrokes(&self, arrays: &UpstrokeArrays) -> Result<()> {
        match &self.upstrokes {
            Some(upstrokes) => upstrokes.write(&*self.device, arrays),
            None => Ok(()),
        }
    }

    /// Pointers to the gates.
    fn gate_pointers(&self, copy: usize) -> Argument {
        let pointers: [u64; G] = std::array::from_fn(|g| self.gates[copy][g].address(0));
        Argument::from_bytes(bytemuck::cast_slice(&pointers))
    }

    /// A thread for each column, blocks for rows and layers.
    fn over_rows(&self, name: &str, [layers, rows, columns]: [u32; 3]) -> Result<Launch> {
        const MOST: u32 = 65_535;
        Ok(Launch {
            kernel: self.kernels.get(name)?,
            grid: [columns.div_ceil(BLOCK), rows.min(MOST), layers.min(MOST)],
            block: [BLOCK, 1, 1],
            shared: 0,
        })
    }

    fn launch(&self, launch: Launch, arguments: &[&[Argument]]) -> Result<()> {
        self.device.launch(launch, &arguments.concat())
    }
}
