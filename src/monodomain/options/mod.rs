//! What a simulation is asked to do: the keys of `[fk]` and `[checkpoint]`.

mod grid;
mod parameters;
mod protocol;
mod record;
mod region;
mod stimulus;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use grid::{Boundaries, Boundary, GridOptions, Spacing};
pub use parameters::{Parameters, RegionParameters};
pub use protocol::{RestitutionOptions, S2Intervals, TuneOptions};
pub use record::RecordOptions;
pub use region::{Region, Side};
pub use stimulus::{StimulusKind, StimulusOptions, Timing};

use crate::eikonal::options::Precision;
use crate::numbered_list::numbered;

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

/// A dataset of an HDF5 file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetOptions {
    pub file: PathBuf,
    /// Its path in the file.
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

/// Discretisation of ∇·(D∇u).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StencilKind {
    /// Fluxes between cells: conservative.
    Flux,
    /// That of the seed program: 2D, isotropic D, not conservative (`stencil/cardiax.rs`).
    Cardiax,
}

/// Step in time of u and the gates g.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrator {
    /// Explicit Euler.
    Euler,
    /// Mean of the state and two Euler steps: second order.
    Heun,
    /// u by explicit Euler; a gate by the exact solution of ∂g/∂t = (g∞ − g)/τ at constant g∞, τ.
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

/// `[fk.bridge]`: activation times for the inversion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BridgeOptions {
    /// Mesh whose vertices sample the activation times; absent: the voxelised one.
    pub mesh: Option<PathBuf>,
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
}
