//! Options of the inversion: section `[inversion]`, with the defaults of the program.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// γ that are computed with: far beyond any tissue, and single precision still holds what it makes
/// of them.
pub const GAMMA_RANGE: RangeInclusive<f64> = 1e-9..=1e9;

/// What the optimiser varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Parameter {
    /// log γ: γ stays positive.
    #[default]
    Log,
    /// γ itself.
    Gamma,
}

/// How the next γ is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    #[default]
    Bfgs,
    Lbfgs,
    SteepestDescent,
    GaussNewton,
    LevenbergMarquardt,
}

/// First approximation of the Hessian for BFGS and L-BFGS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitialHessian {
    /// Multiple of the identity.
    Identity,
    /// diag(2 JᵀWJ) of one Jacobian.
    Diagonal,
    /// Damped 2 JᵀWJ of one Jacobian.
    #[default]
    GaussNewton,
}

/// How df/dγ is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GradientMode {
    #[default]
    Adjoint,
    Tangent,
    FiniteDifferences,
    /// Dual numbers through every local solve: slow, a check on the others.
    AllActive,
}

/// A dataset of an HDF5 file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRef {
    pub file: PathBuf,
    /// Path inside the file; absent: the usual place of what is asked for.
    pub dataset: Option<String>,
}

/// Measured times made by the program itself: the forward solution of a given γ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Twin {
    /// The γ to be found again, one per domain.
    pub gamma: Vec<f64>,
    /// Standard deviation of Gaussian noise on the times, ms.
    #[serde(default)]
    pub noise_ms: f64,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: u64,
    /// A ball of other tissue, whatever the domains are.
    #[serde(default)]
    pub scar: Option<Scar>,
    /// Onset of each source, ms; absent: as configured.
    #[serde(default)]
    pub onsets: Option<Vec<f64>>,
    /// Place of each source, in the unit of `[mesh]`; absent: as configured.
    #[serde(default)]
    pub points: Option<Vec<[f64; 3]>>,
}

/// Tetrahedra whose centroid lies in a ball; lengths in the unit of `[mesh]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scar {
    pub centre: [f64; 3],
    pub radius: f64,
    /// Their γ.
    pub gamma: f64,
}

/// Where times are measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Where {
    /// "all" vertices or those on the "surface".
    Named(NamedVertices),
    /// Vertex numbers from a dataset.
    Dataset(DatasetRef),
    /// Points inside tetrahedra (in the unit of `[mesh]`); φ is interpolated.
    Points { points: Vec<[f64; 3]> },
}

/// Named sets of vertices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamedVertices {
    All,
    Surface,
}

/// Initial γ: one number for all domains or one per domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GammaInput {
    Uniform(f64),
    PerDomain(Vec<f64>),
}

impl GammaInput {
    /// One γ per domain; `None` when the list has another length.
    pub fn expand(&self, domains: usize) -> Option<Vec<f64>> {
        match self {
            GammaInput::Uniform(g) => Some(vec![*g; domains]),
            GammaInput::PerDomain(list) => (list.len() == domains).then(|| list.clone()),
        }
    }
}

/// When to stop: whatever comes first. Zero switches a tolerance off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopOptions {
    /// Misfit f, ms² (times the weights).
    pub misfit: f64,
    /// Largest component of the gradient in the optimised parameter.
    pub gradient_norm: f64,
    /// Largest change of the optimised parameter in an iteration.
    pub step: f64,
    /// Iterations of the optimiser.
    pub iterations: usize,
}

impl Default for StopOptions {
    fn default() -> Self {
        Self {
            misfit: 0.0,
            gradient_norm: 1e-9,
            step: 1e-9,
            iterations: 100,
        }
    }
}

/// How the weight of the penalties is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightRule {
    /// As given.
    #[default]
    Given,
    /// Corner of the L-curve: largest curvature of log R over log f.
    LCurve,
    /// Largest weight whose misfit is that of the noise.
    Discrepancy,
}

impl WeightRule {
    /// Name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            WeightRule::Given => "given",
            WeightRule::LCurve => "l-curve",
            WeightRule::Discrepancy => "discrepancy",
        }
    }
}

/// Multiples of the penalties that are tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sweep {
    pub least: f64,
    pub most: f64,
    /// Number of multiples, at equal ratios.
    pub steps: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            least: 1e-4,
            most: 1e4,
            steps: 17,
        }
    }
}

/// Penalties added to the misfit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Regularisation {
    /// α of α Σ_k (log γ_k)².
    pub tikhonov: f64,
    /// β of β Σ_(k,l) A_kl (log γ_k − log γ_l)², over neighbouring domains, A_kl the share of the
    /// common faces.
    pub neighbour_jump: f64,
    /// Rule by which both are multiplied by one number.
    pub choose: WeightRule,
    /// Numbers that the rule tries.
    pub sweep: Sweep,
}

/// Refinement of domains.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refinement {
    /// Number of domains up to which they are split; 0: not at all.
    pub domains: usize,
}

/// Further starts from random points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Multistart {
    /// Number of random starts beside the initial γ.
    pub starts: usize,
    /// log γ of a start is uniform within ± this range around log of the initial γ.
    pub log_range: f64,
    pub seed: u64,
}

impl Default for Multistart {
    fn default() -> Self {
        Self {
            starts: 0,
            log_range: 1.0,
            seed: 1,
        }
    }
}

/// Section `[inversion]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InversionOptions {
    /// Measured activation times, ms; either this or `twin`.
    pub measured: Option<DatasetRef>,
    /// Twin experiment; either this or `measured`.
    pub twin: Option<Twin>,
    /// Where times are measured.
    pub vertices: Where,
    /// Weights of the measurements; absent: 1.
    pub weights: Option<DatasetRef>,
    /// Standard deviation of the noise of a measurement of weight 1, ms.
    pub noise_ms: Option<f64>,
    pub parameter: Parameter,
    /// First γ; absent: `domains.gamma`.
    pub initial_gamma: Option<GammaInput>,
    pub optimizer: Optimizer,
    pub initial_hessian: InitialHessian,
    pub gradient: GradientMode,
    pub stop: StopOptions,
    pub regularisation: Regularisation,
    pub multistart: Multistart,
    pub refinement: Refinement,
    /// Whether standard deviations of the estimate are computed.
    pub uncertainty: bool,
}

impl InversionOptions {
    /// Standard deviation of the noise of a measurement of weight 1, ms, as far as it is known:
    /// given, or that of the twin.
    pub fn noise(&self) -> Option<f64> {
        let twin = self.twin.as_ref().map(|twin| twin.noise_ms);
        self.noise_ms.or(twin.filter(|noise| *noise > 0.0))
    }

    /// The misfit of so many `measurements` that noise alone stays below in 98 of 100 cases, two
    /// standard deviations above its mean: σ² (n + 2 √(2n)), where σ is known.
    pub fn misfit_of_noise(&self, measurements: u64) -> Option<f64> {
        let n = measurements as f64;
        let noise = self.noise()?;
        Some(noise * noise * (n + 2.0 * (2.0 * n).sqrt()))
    }
}

impl Default for InversionOptions {
    fn default() -> Self {
        Self {
            measured: None,
            twin: None,
            vertices: Where::Named(NamedVertices::All),
            weights: None,
            noise_ms: None,
            parameter: Parameter::default(),
            initial_gamma: None,
            optimizer: Optimizer::default(),
            initial_hessian: InitialHessian::default(),
            gradient: GradientMode::default(),
            stop: StopOptions::default(),
            regularisation: Regularisation::default(),
            multistart: Multistart::default(),
            refinement: Refinement::default(),
            uncertainty: true,
        }
    }
}
