//! The two-variable model of Mitchell & Schaeffer, Bull. Math. Biol. 65 (2003) 767.
//!
//!   ∂u/∂t = ∇·(D ∇u) + h u² (1 − u)/τ_in − u/τ_out
//!   ∂h/∂t = (1 − h)/τ_open where u < u_gate, −h/τ_close elsewhere
//!
//! u: scaled membrane potential from 0 to 1; h: gate of the inward current; τ in ms.

use std::collections::BTreeMap;
use std::hint::select_unpredictable as select;

use super::constants::Constants;
use super::{GateStep, IonicModel, Kinetics, relaxation};
use crate::error::Result;
use crate::real::{Arithmetic, Float};

/// One set of constants.
#[derive(Debug, Clone, PartialEq)]
pub struct MitchellSchaeffer {
    pub tau_in: f64,
    pub tau_out: f64,
    pub tau_open: f64,
    pub tau_close: f64,
    pub u_gate: f64,
}

impl IonicModel<1> for MitchellSchaeffer {
    const NAME: &'static str = "mitchell-schaeffer";
    const GATES: [&'static str; 1] = ["h"];
    /// Table 1 of the paper.
    const SETS: &'static [(&'static str, Self)] = &[(
        "default",
        Self {
            tau_in: 0.3,
            tau_out: 6.0,
            tau_open: 120.0,
            tau_close: 150.0,
            u_gate: 0.13,
        },
    )];
    const CONSTANTS: &'static [&'static str] =
        &["tau_in", "tau_out", "tau_open", "tau_close", "u_gate"];
    type Kinetics<T: Float> = MitchellSchaefferKinetics<T>;

    fn from_constants(table: &BTreeMap<String, f64>) -> Result<Self> {
        let table = Constants::new(Self::NAME, Self::CONSTANTS, table)?;
        Ok(Self {
            tau_in: table.positive("tau_in")?,
            tau_out: table.positive("tau_out")?,
            tau_open: table.positive("tau_open")?,
            tau_close: table.positive("tau_close")?,
            u_gate: table.fraction("u_gate")?,
        })
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("tau_in", self.tau_in),
            ("tau_out", self.tau_out),
            ("tau_open", self.tau_open),
            ("tau_close", self.tau_close),
            ("u_gate", self.u_gate),
        ]
    }

    fn rest(&self) -> (f64, [f64; 1]) {
        (0.0, [1.0])
    }

    /// At u = h = 1.
    fn reaction_rate(&self) -> f64 {
        1.0 / self.tau_in + 1.0 / self.tau_out
    }

    fn kinetics<T: Float>(&self, dt: f64, gates: GateStep) -> MitchellSchaefferKinetics<T> {
        MitchellSchaefferKinetics {
            u_gate: T::from_f64(self.u_gate),
            inward: T::from_f64(dt / self.tau_in),
            outward: T::from_f64(-dt / self.tau_out),
            h_closing: relaxation(dt, self.tau_close, 0.0, gates),
            h_opening: relaxation(dt, self.tau_open, 1.0, gates),
        }
    }
}

/// [`MitchellSchaeffer`] folded for one Δt.
#[derive(Debug, Clone, Copy)]
pub struct MitchellSchaefferKinetics<T> {
    u_gate: T,
    /// Δt/τ_in and −Δt/τ_out.
    inward: T,
    outward: T,
    /// a, b of h' = a h + b.
    h_closing: [T; 2],
    h_opening: [T; 2],
}

impl<T: Float> Kinetics<T, 1> for MitchellSchaefferKinetics<T> {
    const TWIN: (&'static str, &'static str) = (
        "ionic/mitchell_schaeffer.cuh",
        include_str!("mitchell_schaeffer.cuh"),
    );

    fn words(&self) -> Vec<T> {
        let mut words = vec![self.u_gate, self.inward, self.outward];
        words.extend([self.h_closing, self.h_opening].concat());
        words
    }

    #[inline(always)]
    fn step<A: Arithmetic>(&self, u: T, [h]: [T; 1]) -> (T, [T; 1]) {
        let inward = self.inward * h * u;
        // u (h u (1 − u) Δt/τ_in − Δt/τ_out); TINY keeps u from decaying to denormals.
        let rate = A::mul_add(inward, T::from_f64(1.0) - u, self.outward);
        let du = A::mul_add(u, rate, T::from_f64(T::TINY));
        let closing = u >= self.u_gate;
        // By component: selected as arrays they would be gathered from memory.
        let a = select(closing, self.h_closing[0], self.h_opening[0]);
        let b = select(closing, self.h_closing[1], self.h_opening[1]);
        (du, [A::mul_add(h, a, b)])
    }
}
