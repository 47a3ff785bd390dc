//! Models of the cell membrane: u and its gates at one point, without diffusion.
//!
//! A model is one file here and one line in the list of models ([`registry`]).

pub mod aliev_panfilov;
mod constants;
pub mod fenton_karma;
pub mod logistic;
pub mod mitchell_schaeffer;
mod registry;

use std::collections::BTreeMap;

pub use registry::{MODELS, Model, Visitor, dispatch, sets};

use crate::error::Result;
use crate::real::{Arithmetic, Float};

/// How gates are advanced: du/dt is always explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateStep {
    /// g + Δt ġ(u, g).
    Explicit,
    /// The exact solution of ġ for fixed u (Rush & Larsen 1978), for gates linear in themselves.
    Exponential,
}

/// A model of the membrane with `G` gates beside u, with one set of constants.
pub trait IonicModel<const G: usize>:
    Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    /// Name in a configuration.
    const NAME: &'static str;

    /// Names of the gates, as in files.
    const GATES: [&'static str; G];

    /// The published sets of constants by name.
    const SETS: &'static [(&'static str, Self)];

    /// Names of the constants in a table.
    const CONSTANTS: &'static [&'static str];

    /// Whether ġ is linear in g for fixed u, so that [`GateStep::Exponential`] differs from explicit.
    const LINEAR_GATES: bool = true;

    /// The constants folded for one Δt.
    type Kinetics<T: Float>: Kinetics<T, G>;

    /// A user's own constants. Errors: one is missing, unknown or out of range.
    fn from_constants(table: &BTreeMap<String, f64>) -> Result<Self>;

    /// The constants, as [`Self::from_constants`] takes them.
    fn constants(&self) -> Vec<(&'static str, f64)>;

    /// u and gates at rest.
    fn rest(&self) -> (f64, [f64; G]);

    /// Constants folded for steps of `dt` ms.
    fn kinetics<T: Float>(&self, dt: f64, gates: GateStep) -> Self::Kinetics<T>;

    /// Largest rate of the fast currents ∂(J_ion)/∂u (1/ms): the reaction's share in the stability
    /// limit Δt (2 Σ D/Δx² + rate) ≤ 2.
    fn reaction_rate(&self) -> f64;
}

/// One step at one cell: the inner loop of every simulation. Free of branches, so that the compiler
/// vectorises a loop over cells.
pub trait Kinetics<T: Float, const G: usize>: Copy + Send + Sync {
    /// Path below `src/` and text of the twin for a device: [`step`](Self::step) as `react`.
    const TWIN: (&'static str, &'static str);

    /// The constants in the order of the twin's structure.
    fn words(&self) -> Vec<T>;

    /// (−Δt J_ion(u, gates), gates after Δt).
    fn step<A: Arithmetic>(&self, u: T, gates: [T; G]) -> (T, [T; G]);
}

/// (a, b) of a gate's step g' = a g + b for ġ = (g_∞ − g)/τ, g_∞ = 0 or 1.
///
/// A gate that decays towards 0 (v during an action potential) would end in denormals, which are
/// slow on many machines: it gets a tiny b instead of 0, and stays at some 1e-28 (f64: 1e-288).
fn relaxation<T: Float>(dt: f64, tau: f64, limit: f64, gates: GateStep) -> [T; 2] {
    let share = match gates {
        GateStep::Explicit => dt / tau,
        GateStep::Exponential => -(-dt / tau).exp_m1(),
    };
    [
        T::from_f64(1.0 - share),
        T::from_f64((share * limit).max(T::TINY)),
    ]
}
