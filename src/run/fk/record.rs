//! What is recorded, when, and where it goes.

use std::path::Path;

use crate::comm::{Communicator, agree};
use crate::error::Result;
use crate::exact_sum::ReproducibleSums;
use crate::io::{Layout, Recording, Segments};
use crate::monodomain::ecg::PseudoEcg;
use crate::monodomain::filament::{connect, find_face_points};
use crate::monodomain::grid::{Grid, Tissue};
use crate::monodomain::options::{FkOptions, RecordOptions};
use crate::monodomain::simulation::{Simulation, Values};
use crate::monodomain::tip::{TipTracker, find_tips};
use crate::tensor::Vec3;

/// A tip farther than this from all of the sample before is a new one, mm.
const TIP_REACH: f64 = 5.0;

/// The steps after which each recorder takes a sample; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    frames: Option<u64>,
    probes: Option<u64>,
    ecg: Option<u64>,
    tip: Option<u64>,
}

impl Intervals {
    pub fn new(record: &RecordOptions, dt: f64) -> Self {
        let steps = |every: f64| ((every / dt).round() as u64).max(1);
        let probes = record.probes_every.filter(|_| !record.probes.is_empty());
        Self {
            frames: record.frames_every.map(steps),
            probes: probes.map(steps),
            ecg: (!record.electrodes.is_empty()).then(|| steps(record.ecg_every)),
            tip: record.tip.then(|| steps(record.tip_every)),
        }
    }

    /// First step after `step` with a sample, `end` at the latest.
    pub fn next(&self, step: u64, end: u64) -> u64 {
        let all = [self.frames, self.probes, self.ecg, self.tip];
        let next = all.into_iter().flatten().map(|n| (step / n + 1) * n);
        next.min().map_or(end, |n| n.min(end))
    }
}

/// The recorders of a run. All ranks have one; rank 0 analyses and writes.
pub struct Recorders {
    options: RecordOptions,
    intervals: Intervals,
    end: u64,
    dt: f64,
    fields: Vec<String>,
    probes: Vec<usize>,
    root: Option<OnRoot>,
    /// Time of the frame that is being copied while steps go on.
    pending: Option<f64>,
}

struct OnRoot {
    recording: Recording,
    grid: Grid,
    tracker: TipTracker,
    /// Tips (2D) or filaments (3D) in the last sample.
    tips: usize,
    largest_d: f64,
    active_cells: u64,
    electrodes: Vec<Vec3>,
}

/// What the recorders keep between samples, for a checkpoint.
pub type Kept = TipTracker;

/// What rank 0 needs to record.
pub struct RootInput<'a> {
    pub grid: &'a Grid,
    pub tissue: &'a Tissue,
    pub electrodes: Vec<Vec3>,
    pub folder: &'a Path,
    pub segments: Segments,
    pub kept: Option<Kept>,
}

impl Recorders {
    /// Begins to record, after what is kept of an interrupted run. `fields`: u and the gates.
    pub fn begin(
        fk: &FkOptions,
        end: u64,
        fields: Vec<String>,
        probes: Vec<usize>,
        root: Option<RootInput>,
    ) -> Result<Self> {
        let record = fk.record.clone();
        let intervals = Intervals::new(&record, fk.dt);
        let root = root.map(|root| {
            let RootInput { grid, tissue, .. } = root;
            let columns: &[(&str, &str)] = if grid.dimensions == 3 {
                &[
                    ("time", "ms"),
                    ("x", "mm"),
                    ("y", "mm"),
                    ("z", "mm"),
                    ("filament", "1"),
                ]
            } else {
                &[
                    ("time", "ms"),
                    ("x", "mm"),
                    ("y", "mm"),
                    ("trajectory", "1"),
                    ("chirality", "1"),
                ]
            };
            let owned = |(name, unit): &(&str, &str)| (name.to_string(), unit.to_string());
            let layout = Layout {
                grid: grid.clone(),
                frames: intervals
                    .frames
                    .map_or_else(Vec::new, |_| record.frames.clone()),
                probes: intervals.probes.map_or(0, |_| probes.len()),
                electrodes: root.electrodes.len(),
                tip: match record.tip {
                    true => columns.iter().map(owned).collect(),
                    false => Vec::new(),
                },
                compression: record.compression,
            };
            let active = |cell: usize| tissue.active.as_ref().is_none_or(|a| a[cell]);
            let cells = (0..grid.cells()).filter(|c| active(*c));
            let (active_cells, largest_d) = cells.fold((0, 0.0_f64), |(n, most), cell| {
                let [xx, _, _, yy, _, zz] = tissue.diffusivity.at(cell);
                (n + 1, most.max(xx + yy + zz))
            });
            Ok::<_, crate::error::Error>(OnRoot {
                recording: Recording::begin(root.folder, layout, root.segments)?,
                grid: grid.clone(),
                tracker: root
                    .kept
                    .unwrap_or_else(|| TipTracker::new(grid, TIP_REACH)),
                tips: 0,
                largest_d,
                active_cells,
                electrodes: root.electrodes,
            })
        });
        Ok(Self {
            options: record,
            intervals,
            end,
            dt: fk.dt,
            fields,
            probes,
            root: root.transpose()?,
            pending: None,
        })
    }

    /// First step after `step` at which something is sampled.
    pub fn next(&self, step: u64) -> u64 {
        self.intervals.next(step, self.end)
    }

    /// Takes the samples that are due after `step` steps. `tissue` on rank 0. Collective.
    pub fn sample(
        &mut self,
        comm: &dyn Communicator,
        simulation: &dyn Simulation,
        step: u64,
        tissue: Option<&Tissue>,
    ) -> Result<()> {
        self.take(comm, simulation, step, tissue, |every| {
            step.is_multiple_of(every)
        })
    }

    /// Takes the samples at the end of a run that [`sample`](Self::sample) does not: its last
    /// interval is recorded however short it is. Collective.
    pub fn sample_end(
        &mut self,
        comm: &dyn Communicator,
        simulation: &dyn Simulation,
        step: u64,
        tissue: Option<&Tissue>,
    ) -> Result<()> {
        self.take(comm, simulation, step, tissue, |every| {
            !step.is_multiple_of(every)
        })?;
        self.settle(comm, simulation, tissue)
    }

    /// Records the frame that was being copied while steps went on. Collective; before a checkpoint.
    pub fn settle(
        &mut self,
        comm: &dyn Communicator,
        simulation: &dyn Simulation,
        tissue: Option<&Tissue>,
    ) -> Result<()> {
        let Some(time) = self.pending.take() else {
            return Ok(());
        };
        let mut values: Vec<Option<Values>> = vec![None; self.fields.len()];
        for field in self.frame_fields() {
            values[field] = simulation.finish_gather(comm, field);
        }
        agree(comm, self.frame(time, &values, tissue))
    }

    /// The fields of a frame, by number, in the order of the frame.
    fn frame_fields(&self) -> Vec<usize> {
        let number = |name: &String| self.fields.iter().position(|f| f == name);
        self.options.frames.iter().filter_map(number).collect()
    }

    /// Writes a frame on rank 0.
    fn frame(
        &mut self,
        time: f64,
        values: &[Option<Values>],
        tissue: Option<&Tissue>,
    ) -> Result<()> {
        let fields = self.frame_fields();
        let (Some(root), Some(tissue)) = (&mut self.root, tissue) else {
            return Ok(());
        };
        let variables = fields.iter().filter_map(|field| {
            let mut values = values[*field].as_ref()?.to_f32();
            blank(&mut values, tissue, f32::NAN);
            Some(values)
        });
        root.recording.frame(time, variables.collect())
    }

    /// Takes samples after `step` steps with the recorders whose interval is `wanted`.
    fn take(
        &mut self,
        comm: &dyn Communicator,
        simulation: &dyn Simulation,
        step: u64,
        tissue: Option<&Tissue>,
        wanted: impl Fn(u64) -> bool,
    ) -> Result<()> {
        self.settle(comm, simulation, tissue)?;
        let due = |every: Option<u64>| every.is_some_and(&wanted);
        let mut frames = due(self.intervals.frames);
        let (ecg, tip) = (due(self.intervals.ecg), due(self.intervals.tip));
        let time = step as f64 * self.dt;
        if frames && !ecg && !tip && simulation.begin_gather(&self.frame_fields()) {
            (self.pending, frames) = (Some(time), false);
        }
        let probes = due(self.intervals.probes).then(|| simulation.probe(comm, &self.probes));
        let needed = |field: usize| {
            let name = &self.fields[field];
            let in_frames = frames && self.options.frames.contains(name);
            let for_tip = tip && field <= 1;
            in_frames || for_tip || (ecg && field == 0)
        };
        let values: Vec<Option<Values>> = (0..self.fields.len())
            .map(|field| {
                needed(field)
                    .then(|| simulation.gather(comm, field))
                    .flatten()
            })
            .collect();
        let recorded = match (&mut self.root, tissue) {
            (Some(root), Some(tissue)) => (|| {
                if let Some(u) = &probes {
                    root.recording.probes(time, u)?;
                }
                let u = values[0].as_ref();
                if let Some(u) = u.filter(|_| ecg) {
                    let potential = root.potential(&u.to_f64(), tissue);
                    root.recording.ecg(time, &potential)?;
                }
                if let (true, Some(u), Some(gate)) =
                    (tip, u, values.get(1).and_then(Option::as_ref))
                {
                    let level = [self.options.tip_u, self.options.tip_gate];
                    let rows = root.tips(time, &u.to_f64(), &gate.to_f64(), level, tissue);
                    root.recording.tips(&rows)?;
                }
                Ok(())
            })(),
            _ => Ok(()),
        };
        let recorded = recorded.and_then(|()| match frames {
            true => self.frame(time, &values, tissue),
            false => Ok(()),
        });
        agree(comm, recorded)
    }

    /// What is kept for a checkpoint, on rank 0, with the segments that are complete.
    pub fn keep(&mut self) -> Result<Option<(Segments, Kept)>> {
        let root = self.root.as_mut();
        root.map(|root| Ok((root.recording.close_segment()?, root.tracker.clone())))
            .transpose()
    }

    /// Tips or filaments in the last sample, on rank 0.
    pub fn tips(&self) -> Option<usize> {
        let root = self.root.as_ref()?;
        self.options.tip.then_some(root.tips)
    }

    /// The recording, to be finished, on rank 0.
    pub fn into_recording(self) -> Option<Recording> {
        self.root.map(|root| root.recording)
    }
}

impl OnRoot {
    fn potential(&self, u: &[f64], tissue: &Tissue) -> Vec<f64> {
        let ecg = PseudoEcg::new(&self.grid, &self.electrodes);
        let largest_u = u
            .iter()
            .filter(|u| u.is_finite())
            .fold(1.0_f64, |m, u| m.max(u.abs()));
        let mut sums: ReproducibleSums = ecg.sums(largest_u, self.largest_d, self.active_cells);
        let value = |place: [usize; 3]| {
            let cell = self.grid.cell(place);
            tissue
                .active
                .as_ref()
                .is_none_or(|a| a[cell])
                .then(|| u[cell])
        };
        let [nz, ny, nx] = self.grid.shape;
        for z in 0..nz {
            for y in 0..ny {
                let d = |place| tissue.diffusivity.at(self.grid.cell(place));
                ecg.add_row(&mut sums, [z, y], 0..nx, value, d);
            }
        }
        sums.totals()
    }

    /// Rows of `/fk/tip`.
    fn tips(
        &mut self,
        time: f64,
        u: &[f64],
        gate: &[f64],
        [level_u, level_gate]: [f64; 2],
        tissue: &Tissue,
    ) -> Vec<f64> {
        let grid = &self.grid;
        let at = |place: [usize; 3]| {
            let cell = grid.cell(place);
            let active = tissue.active.as_ref().is_none_or(|a| a[cell]);
            active.then(|| [u[cell] - level_u, gate[cell] - level_gate])
        };
        let [nz, ny, nx] = grid.shape;
        if grid.dimensions == 3 {
            let filaments = connect(find_face_points(grid, [0..nz, 0..ny, 0..nx], at));
            self.tips = filaments.len();
            let rows = filaments.iter().enumerate().flat_map(|(i, filament)| {
                let points = filament.points.iter();
                points.flat_map(move |[x, y, z]| [time, *x, *y, *z, i as f64])
            });
            rows.collect()
        } else {
            let tips = find_tips(grid, 0..ny, 0..nx, |y, x| at([0, y, x]));
            self.tips = tips.len();
            let numbers = self.tracker.follow(&tips);
            let rows = tips.iter().zip(numbers);
            rows.flat_map(|(tip, id)| [time, tip.x, tip.y, id as f64, f64::from(tip.chirality)])
                .collect()
        }
    }
}

/// Marks the cells that take no part.
pub fn blank<V: Copy>(values: &mut [V], tissue: &Tissue, mark: V) {
    if let Some(active) = &tissue.active {
        for (value, active) in values.iter_mut().zip(active) {
            if !active {
                *value = mark;
            }
        }
    }
}
