//! What a simulation is asked to do: the keys of `[fk]` and `[checkpoint]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::eikonal::options::Precision;
use crate::error::Result;
use crate::ionic::Model;
use crate::numbered_list::numbered;
use crate::units::LengthUnit;

/// `[fk]`. Lengths in mm, times in ms, except seed timing of stimuli (steps).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FkOptions {
    /// Name in the list of models.
    pub model: String,
    pub parameters: Parameters,
    /// Other parameters or conductivity in parts of the tissue; the last that holds a cell wins.
    #[serde(default, deserialize_with = "numbered")]
    pub region: Vec<RegionParameters>,
    pub grid: Option<GridOptions>,
    pub boundary: Boundaries,
    /// Cells that take part: non-zero in the dataset.
    pub mask: Option<DatasetOptions>,
    /// Holes cut out of the tissue.
    #[serde(default, deserialize_with = "numbered")]
    pub hole: Vec<Region>,
    pub diffusivity: Option<DiffusivityOptions>,
    pub stencil: StencilKind,
    pub integrator: Integrator,
    pub precision: Precision,
    /// Δt, ms.
    pub dt: f64,
    /// ms; or `steps`.
    pub duration: Option<f64>,
    pub steps: Option<u64>,
    pub initial: Option<InitialOptions>,
    #[serde(default, deserialize_with = "numbered")]
    pub stimulus: Vec<StimulusOptions>,
    pub record: RecordOptions,
    /// Steps between halo exchanges; chosen by the program where absent.
    pub steps_per_exchange: Option<usize>,
    /// Cells of a tile along each axis of the grid; chosen by the program where absent.
    pub tile: Option<Vec<usize>>,
    /// |u| beyond which the run has diverged.
    pub largest_u: f64,
    /// Sampling the activation times at the vertices of a mesh, for `isochrone invert`.
    pub bridge: Option<BridgeOptions>,
    /// Search of the diffusivity of a wanted conduction velocity, in place of a run.
    pub tune: Option<TuneOptions>,
    /// S1–S2 protocol, in place of a run.
    pub restitution: Option<RestitutionOptions>,
}

impl Default for FkOptions {
    fn default() -> Self {
        Self {
            model: "fenton-karma".into(),
            parameters: Parameters::Named("3".into()),
            region: Vec::new(),
            grid: None,
            boundary: Boundaries::Same(Boundary::NoFlux),
            mask: None,
            hole: Vec::new(),
            diffusivity: None,
            stencil: StencilKind::Flux,
            integrator: Integrator::Euler,
            precision: Precision::F32,
            dt: 0.01,
            duration: None,
            steps: None,
            initial: None,
            stimulus: Vec::new(),
            record: RecordOptions::default(),
            steps_per_exchange: None,
            tile: None,
            largest_u: 10.0,
            bridge: None,
            tune: None,
            restitution: None,
        }
    }
}

impl FkOptions {
    /// Steps of the run: `steps`, or as many as reach `duration`, a last one that passes it
    /// included.
    pub fn step_count(&self) -> Option<u64> {
        self.steps.or_else(|| {
            let steps = self.duration? / self.dt;
            // 3 ms are 300 steps of 0.01 ms, whatever the rounding of their quotient.
            let whole = steps.round();
            let near = (steps - whole).abs() <= 1e-9 * whole;
            Some(if near { whole } else { steps.ceil() } as u64)
        })
    }
}

/// A named set, or the constants by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, from = "ParametersAsWritten")]
pub enum Parameters {
    Named(String),
    Table(BTreeMap<String, f64>),
}

impl Parameters {
    /// The model called `model` with these constants.
    ///
    /// # Errors
    /// `BadData`: no such model, set or constant; a constant is missing or out of range.
    pub fn of(&self, model: &str) -> Result<Model> {
        match self {
            Parameters::Named(set) => Model::named(model, set),
            Parameters::Table(constants) => Model::from_table(model, constants),
        }
    }
}

/// Set "3" may be written 3.
#[derive(Deserialize)]
#[serde(untagged)]
enum ParametersAsWritten {
    Number(u64),
    Named(String),
    Table(BTreeMap<String, f64>),
}

impl From<ParametersAsWritten> for Parameters {
    fn from(written: ParametersAsWritten) -> Self {
        match written {
            ParametersAsWritten::Number(number) => Parameters::Named(number.to_string()),
            ParametersAsWritten::Named(name) => Parameters::Named(name),
            ParametersAsWritten::Table(constants) => Parameters::Table(constants),
        }
    }
}

/// What differs in a part of the tissue; absent: as elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionParameters {
    pub region: Region,
    pub parameters: Option<Parameters>,
    /// Conductivity scaling: D is multiplied by it.
    pub gamma: Option<f64>,
}

/// Where the cells come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "GridAsWritten")]
pub enum GridOptions {
    /// Numbers of cells (x), (y, x) or (z, y, x), or none for a single cell (of 1 mm, where no
    /// spacing is given).
    Box { shape: Vec<usize>, spacing: Spacing },
    /// The tetrahedral mesh of a file, voxelised; its unit as `unit` or the format's.
    Mesh {
        mesh: PathBuf,
        spacing: Spacing,
        unit: Option<LengthUnit>,
    },
    /// A voxelised mesh in a file (`isochrone mesh voxelize`).
    Voxels { voxels: PathBuf },
    /// The mesh of section [mesh], file or generated, voxelised: `{ spacing }` alone.
    Case { spacing: Spacing },
}

/// The keys of all kinds of grids.
#[derive(Deserialize)]
struct GridAsWritten {
    shape: Option<Vec<usize>>,
    mesh: Option<PathBuf>,
    unit: Option<LengthUnit>,
    voxels: Option<PathBuf>,
    spacing: Option<Spacing>,
}

impl TryFrom<GridAsWritten> for GridOptions {
    type Error = &'static str;

    fn try_from(written: GridAsWritten) -> Result<Self, &'static str> {
        let none = "says no spacing, the size of the cells in mm: grid = { shape, spacing = 0.25 }";
        let spacing = written.spacing.ok_or(none);
        match written {
            GridAsWritten {
                shape: Some(shape), ..
            } => {
                let spacing = match shape[..] {
                    [] => spacing.unwrap_or(Spacing::Same(1.0)),
                    _ => spacing?,
                };
                Ok(GridOptions::Box { shape, spacing })
            }
            GridAsWritten {
                mesh: Some(mesh),
                unit,
                ..
            } => Ok(GridOptions::Mesh {
                mesh,
                spacing: spacing?,
                unit,
            }),
            GridAsWritten {
                voxels: Some(voxels),
                ..
            } => Ok(GridOptions::Voxels { voxels }),
            _ => Ok(GridOptions::Case { spacing: spacing? }),
        }
    }
}

impl GridOptions {
    /// Axes of the grid.
    pub fn dimensions(&self) -> usize {
        match self {
            GridOptions::Box { shape, .. } => shape.len(),
            _ => 3,
        }
    }

    /// Cell sizes, unless a file of voxels says them.
    pub fn spacing(&self) -> Option<&Spacing> {
        match self {
            GridOptions::Box { spacing, .. }
            | GridOptions::Mesh { spacing, .. }
            | GridOptions::Case { spacing } => Some(spacing),
            GridOptions::Voxels { .. } => None,
        }
    }
}

/// One number, or one per axis in the order of `shape`, mm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Spacing {
    Same(f64),
    PerAxis(Vec<f64>),
}

impl Spacing {
    /// Size along each of `dimensions` axes; `None` where another number of them is given.
    pub fn along(&self, dimensions: usize) -> Option<Vec<f64>> {
        match self {
            Spacing::Same(size) => Some(vec![*size; dimensions]),
            Spacing::PerAxis(sizes) => (sizes.len() == dimensions).then(|| sizes.clone()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    NoFlux,
    Periodic,
}

/// One, or one per axis in the order of `shape`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Boundaries {
    Same(Boundary),
    PerAxis(Vec<Boundary>),
}

impl Boundaries {
    /// Whether each of `dimensions` axes is periodic; `None` where another number of them is given.
    pub fn periodic(&self, dimensions: usize) -> Option<Vec<bool>> {
        match self {
            Boundaries::Same(kind) => Some(vec![*kind == Boundary::Periodic; dimensions]),
            Boundaries::PerAxis(kinds) => (kinds.len() == dimensions)
                .then(|| kinds.iter().map(|k| *k == Boundary::Periodic).collect()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetOptions {
    pub file: PathBuf,
    pub dataset: String,
}

/// mm²/ms; multiplied by γ of the domain where the grid has domains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DiffusivityOptions {
    Isotropic(f64),
    /// Along the fibres that the grid carries, or along x, y, z where it carries none.
    Orthotropic {
        fibre: f64,
        sheet: f64,
        /// Absent only in 2D, which does not use it.
        normal: Option<f64>,
        /// One fibre direction x, y(, z) for the whole grid.
        direction: Option<Vec<f64>>,
    },
    /// Shape of the grid, or that with 3 (2D: xx xy yy) or 6 components behind.
    Dataset(DatasetOptions),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StencilKind {
    Flux,
    Cardiax,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrator {
    Euler,
    Heun,
    RushLarsen,
}

/// A state in a file: `/GROUP/u`, `/GROUP/v`, …; or one value per variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InitialOptions {
    File {
        file: PathBuf,
        #[serde(default = "fk_group")]
        group: String,
    },
    Values(BTreeMap<String, f64>),
}

/// Where a result file has the final state.
fn fk_group() -> String {
    "/fk".into()
}

/// A part of the tissue. Coordinates in mm, from the grid's low corner for boxes of cells, in the
/// mesh's coordinates for voxelised meshes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RegionAsWritten", into = "RegionAsWritten")]
pub enum Region {
    /// low x, y(, z), high x, y(, z).
    Box {
        low: Vec<f64>,
        high: Vec<f64>,
    },
    /// A band from a side, `coverage` of the extent wide (0 to 1), turned by `angle` degrees about
    /// the grid's centre in the x–y plane, from x to y.
    Half {
        side: Side,
        coverage: f64,
        angle: f64,
    },
    Sphere {
        centre: Vec<f64>,
        radius: f64,
    },
    /// Non-zero in the dataset.
    File(DatasetOptions),
    /// Material domains of the voxelised mesh.
    Domains(Vec<u32>),
    /// Tags of the voxelised mesh.
    Tags(Vec<i32>),
    /// All active cells.
    All,
}

/// A region in a configuration: `"all"`, `{ box = { low, high } }` or `{ box = [low, high] }`,
/// `{ half, coverage, angle }`, `{ sphere = { centre, radius } }`, `{ file, dataset }`,
/// `{ domains }`, `{ tags }`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RegionAsWritten {
    All(All),
    Box {
        #[serde(rename = "box")]
        corners: Corners,
    },
    Half {
        half: Side,
        coverage: f64,
        #[serde(default)]
        angle: f64,
    },
    Sphere {
        sphere: Sphere,
    },
    File(DatasetOptions),
    Domains {
        domains: Vec<i64>,
    },
    Tags {
        tags: Vec<i32>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum All {
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Corners {
    Named { low: Vec<f64>, high: Vec<f64> },
    Pair(Vec<Vec<f64>>),
}

#[derive(Serialize, Deserialize)]
struct Sphere {
    centre: Vec<f64>,
    radius: f64,
}

impl TryFrom<RegionAsWritten> for Region {
    type Error = String;

    fn try_from(written: RegionAsWritten) -> Result<Self, String> {
        use RegionAsWritten as Written;
        Ok(match written {
            Written::All(_) => Region::All,
            Written::Box {
                corners: Corners::Named { low, high },
            } => Region::Box { low, high },
            Written::Box {
                corners: Corners::Pair(corners),
            } => {
                let corners: Result<[Vec<f64>; 2], _> = corners.try_into();
                let [low, high] = corners.map_err(|given| {
                    format!("a box has two corners, [low, high], not {}", given.len())
                })?;
                Region::Box { low, high }
            }
            Written::Half {
                half: side,
                coverage,
                angle,
            } => Region::Half {
                side,
                coverage,
                angle,
            },
            Written::Sphere {
                sphere: Sphere { centre, radius },
            } => Region::Sphere { centre, radius },
            Written::File(dataset) => Region::File(dataset),
            Written::Domains { domains } => {
                let number =
                    |d| u32::try_from(d).map_err(|_| format!("{d} is no number of a domain"));
                Region::Domains(domains.into_iter().map(number).collect::<Result<_, _>>()?)
            }
            Written::Tags { tags } => Region::Tags(tags),
        })
    }
}

impl From<Region> for RegionAsWritten {
    fn from(region: Region) -> Self {
        match region {
            Region::All => Self::All(All::All),
            Region::Box { low, high } => Self::Box {
                corners: Corners::Named { low, high },
            },
            Region::Half {
                side: half,
                coverage,
                angle,
            } => Self::Half {
                half,
                coverage,
                angle,
            },
            Region::Sphere { centre, radius } => Self::Sphere {
                sphere: Sphere { centre, radius },
            },
            Region::File(dataset) => Self::File(dataset),
            Region::Domains(domains) => Self::Domains {
                domains: domains.into_iter().map(i64::from).collect(),
            },
            Region::Tags(tags) => Self::Tags { tags },
        }
    }
}

/// West is low x, north low y, bottom low z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    West,
    East,
    North,
    South,
    Bottom,
    Top,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StimulusOptions {
    pub kind: StimulusKind,
    /// Current and replace: 1/ms; voltage: u.
    pub amplitude: f64,
    pub region: Region,
    #[serde(default)]
    pub timing: Timing,
    /// ms; with seed timing, steps.
    #[serde(default)]
    pub start: f64,
    pub duration: f64,
    /// From onset to onset; absent: once.
    pub period: Option<f64>,
    /// How many times; absent with a period: to the end.
    pub count: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StimulusKind {
    /// Adds I_stim to ∂u/∂t.
    Current,
    /// Holds u.
    Voltage,
    /// Takes the place of the ionic current: ∂u/∂t = ∇·(D∇u) + amplitude.
    Replace,
}

/// What start, duration and period mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    #[default]
    Plain,
    /// The seed program's: steps; active ⇔ step ≥ start and (start − step + 1) mod period < duration.
    Seed,
}

impl StimulusKind {
    /// Name as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            StimulusKind::Current => "current",
            StimulusKind::Voltage => "voltage",
            StimulusKind::Replace => "replace",
        }
    }
}

/// `[fk.record]`. Every `…_every` in ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordOptions {
    pub frames_every: Option<f64>,
    pub frames: Vec<String>,
    /// u of an upstroke; absent: activation times are not recorded.
    pub activation_threshold: Option<f64>,
    /// Upstrokes kept per cell beside the first and the last (0: none).
    pub activations: usize,
    /// Fraction of repolarisation, 0 to 1 (0.9: APD90).
    pub apd_level: Option<f64>,
    /// Points x, y(, z), mm.
    #[serde(default)]
    pub probes: Vec<Vec<f64>>,
    pub probes_every: Option<f64>,
    /// Points x, y, z, mm, of the pseudo-ECG. A 2D tissue lies at z of half its spacing.
    #[serde(default)]
    pub electrodes: Vec<Vec<f64>>,
    pub ecg_every: f64,
    /// Spiral tips (2D) or filaments (3D).
    pub tip: bool,
    pub tip_every: f64,
    /// Isolines that cross at a tip: u and the first gate, or u at two times where absent.
    pub tip_u: f64,
    pub tip_gate: f64,
    /// Compression of frames, 0 to 9.
    pub compression: u8,
}

impl Default for RecordOptions {
    fn default() -> Self {
        Self {
            frames_every: None,
            frames: vec!["u".into()],
            activation_threshold: None,
            activations: 0,
            apd_level: None,
            probes: Vec::new(),
            probes_every: Some(1.0),
            electrodes: Vec::new(),
            ecg_every: 1.0,
            tip: false,
            tip_every: 1.0,
            tip_u: 0.5,
            tip_gate: 0.5,
            compression: 4,
        }
    }
}

impl RecordOptions {
    /// u of an upstroke, for activation times or the start of action potentials: 0.5 where only
    /// `apd_level` or `activations` is given.
    pub fn upstroke(&self) -> Option<f64> {
        let wanted = self.apd_level.is_some() || self.activations > 0;
        self.activation_threshold.or(wanted.then_some(0.5))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BridgeOptions {
    /// Mesh whose vertices sample the activation times; absent: the voxelised one.
    pub mesh: Option<PathBuf>,
}

/// `[fk.tune]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuneOptions {
    /// Conduction velocity that is wanted, mm/ms.
    pub speed: f64,
    /// Relative error of the velocity that is allowed.
    #[serde(default = "tuning_tolerance")]
    pub tolerance: f64,
}

fn tuning_tolerance() -> f64 {
    1e-3
}

/// `[fk.restitution]`: a train of S1 stimuli, then one S2 at each interval after the last of them,
/// every time from the same state. Stimuli are currents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestitutionOptions {
    /// From S1 to S1, ms.
    pub s1_period: f64,
    pub s1_count: u64,
    /// From the last S1 to S2.
    pub s2: S2Intervals,
    /// du/dt of a stimulus, 1/ms.
    pub amplitude: f64,
    /// Of a stimulus, ms.
    pub duration: f64,
    /// Where both act; on a grid.
    pub region: Option<Region>,
}

/// S1–S2 intervals, ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum S2Intervals {
    List(Vec<f64>),
    /// from, from + step, … up to `to`, which is one of them where it fits.
    Range {
        from: f64,
        to: f64,
        step: f64,
    },
}

impl S2Intervals {
    /// How many.
    pub fn count(&self) -> usize {
        match self {
            S2Intervals::List(intervals) => intervals.len(),
            S2Intervals::Range { from, to, step } if to >= from => {
                // 0.3 is three steps of 0.1 from 0, whatever the rounding.
                ((to - from) / step * (1.0 + 1e-12) + 1e-9).floor() as usize + 1
            }
            S2Intervals::Range { .. } => 0,
        }
    }

    /// In the order given.
    pub fn values(&self) -> Vec<f64> {
        match self {
            S2Intervals::List(intervals) => intervals.clone(),
            S2Intervals::Range { from, step, .. } => {
                (0..self.count()).map(|i| from + i as f64 * step).collect()
            }
        }
    }
}

/// `[checkpoint]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointOptions {
    /// Wall time.
    pub every_minutes: Option<f64>,
    /// Simulated time.
    pub every_ms: Option<f64>,
    /// Complete checkpoints kept.
    pub keep: usize,
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self {
            every_minutes: None,
            every_ms: None,
            keep: 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reaches_its_duration() {
        let steps = |duration, dt| {
            let options = FkOptions {
                duration: Some(duration),
                dt,
                ..FkOptions::default()
            };
            options.step_count()
        };
        assert_eq!(steps(3.0, 0.01), Some(300));
        assert_eq!(steps(0.3, 0.1), Some(3));
        assert_eq!(steps(1e5, 0.02), Some(5_000_000));
        // The last partial interval is not dropped.
        assert_eq!(steps(1.0, 0.3), Some(4));
        assert_eq!(steps(0.001, 0.01), Some(1));
        assert_eq!(FkOptions::default().step_count(), None);
    }

    #[test]
    fn a_range_of_intervals_has_both_ends() {
        let range = |from, to, step| S2Intervals::Range { from, to, step }.values();
        assert_eq!(range(200.0, 300.0, 50.0), [200.0, 250.0, 300.0]);
        assert_eq!(range(0.1, 0.3, 0.1).len(), 3);
        assert_eq!(range(200.0, 299.0, 50.0), [200.0, 250.0]);
        assert_eq!(range(200.0, 200.0, 50.0), [200.0]);
        assert!(range(200.0, 100.0, 50.0).is_empty());
    }

    #[test]
    fn regions_survive_the_way_between_ranks() {
        let regions = vec![
            Region::All,
            Region::Box {
                low: vec![0.0, 1.0],
                high: vec![2.0, 3.0],
            },
            Region::Half {
                side: Side::North,
                coverage: 0.25,
                angle: 30.0,
            },
            Region::Sphere {
                centre: vec![1.0, 2.0, 3.0],
                radius: 0.5,
            },
            Region::File(DatasetOptions {
                file: "a.h5".into(),
                dataset: "/d".into(),
            }),
            Region::Domains(vec![3, 4]),
            Region::Tags(vec![-1]),
        ];
        let text = serde_json::to_string(&regions).unwrap();
        let again: Vec<Region> = serde_json::from_str(&text).unwrap();
        assert_eq!(again, regions);
    }
}
