//! The two-variable model of Aliev & Panfilov, Chaos Solitons Fractals 7 (1996) 293.
//!
//!   ∂u/∂t = ∇·(D ∇u) − (k u (u − a)(u − 1) + u v) / t_u
//!   ∂v/∂t = ε(u, v) (−v − k u (u − a − 1)) / t_u,      ε = ε_0 + μ_1 v/(u + μ_2)
//!
//! u: scaled membrane potential from 0 to 1; v: recovery; t_u: the paper's unit of time, ms.

use std::collections::BTreeMap;

use super::constants::Constants;
use super::{GateStep, IonicModel, Kinetics};
use crate::error::Result;
use crate::real::{Arithmetic, Float};

/// One set of constants.
#[derive(Debug, Clone, PartialEq)]
pub struct AlievPanfilov {
    pub k: f64,
    pub a: f64,
    pub epsilon_0: f64,
    pub mu_1: f64,
    pub mu_2: f64,
    /// The paper's unit of time, ms.
    pub time_unit: f64,
}

impl IonicModel<1> for AlievPanfilov {
    const NAME: &'static str = "aliev-panfilov";
    const GATES: [&'static str; 1] = ["v"];
    /// The values of the paper, which gives 12.9 ms for its unit of time.
    const SETS: &'static [(&'static str, Self)] = &[(
        "default",
        Self {
            k: 8.0,
            a: 0.15,
            epsilon_0: 0.002,
            mu_1: 0.2,
            mu_2: 0.3,
            time_unit: 12.9,
        },
    )];
    const CONSTANTS: &'static [&'static str] =
        &["k", "a", "epsilon_0", "mu_1", "mu_2", "time_unit"];
    /// ε depends on v.
    const LINEAR_GATES: bool = false;
    type Kinetics<T: Float> = AlievPanfilovKinetics<T>;

    fn from_constants(table: &BTreeMap<String, f64>) -> Result<Self> {
        let table = Constants::new(Self::NAME, Self::CONSTANTS, table)?;
        Ok(Self {
            k: table.positive("k")?,
            a: table.fraction("a")?,
            epsilon_0: table.positive("epsilon_0")?,
            mu_1: table.non_negative("mu_1")?,
            mu_2: table.positive("mu_2")?,
            time_unit: table.positive("time_unit")?,
        })
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("k", self.k),
            ("a", self.a),
            ("epsilon_0", self.epsilon_0),
            ("mu_1", self.mu_1),
            ("mu_2", self.mu_2),
            ("time_unit", self.time_unit),
        ]
    }

    fn rest(&self) -> (f64, [f64; 1]) {
        (0.0, [0.0])
    }

    /// k (1 − a)/t_u: at the end of the upstroke, u = 1 and v = 0. Later v grows only while u falls
    /// along the slow branch v = k (1 − u)(u − a), where the rate k u (2u − 1 − a) is smaller.
    fn reaction_rate(&self) -> f64 {
        self.k * (1.0 - self.a) / self.time_unit
    }

    /// Explicit for both kinds of step: v is not linear in itself.
    fn kinetics<T: Float>(&self, dt: f64, _gates: GateStep) -> AlievPanfilovKinetics<T> {
        let dt = dt / self.time_unit;
        AlievPanfilovKinetics {
            dt: T::from_f64(dt),
            k: T::from_f64(self.k),
            minus_k_a: T::from_f64(-self.k * self.a),
            a_plus_1: T::from_f64(self.a + 1.0),
            epsilon_dt: T::from_f64(self.epsilon_0 * dt),
            mu_1_dt: T::from_f64(self.mu_1 * dt),
            mu_2: T::from_f64(self.mu_2),
        }
    }
}

/// [`AlievPanfilov`] folded for one Δt (in units of time).
#[derive(Debug, Clone, Copy)]
pub struct AlievPanfilovKinetics<T> {
    dt: T,
    k: T,
    minus_k_a: T,
    a_plus_1: T,
    epsilon_dt: T,
    mu_1_dt: T,
    mu_2: T,
}

impl<T: Float> Kinetics<T, 1> for AlievPanfilovKinetics<T> {
    const TWIN: (&'static str, &'static str) = (
        "ionic/aliev_panfilov.cuh",
        include_str!("aliev_panfilov.cuh"),
    );

    fn words(&self) -> Vec<T> {
        vec![
            self.dt,
            self.k,
            self.minus_k_a,
            self.a_plus_1,
            self.epsilon_dt,
            self.mu_1_dt,
            self.mu_2,
        ]
    }

    #[inline(always)]
    fn step<A: Arithmetic>(&self, u: T, [v]: [T; 1]) -> (T, [T; 1]) {
        // −k (u − a)(u − 1) = k u (1 + a − u) − k a, and k u (1 + a − u) is what v tends to.
        let target = self.k * u * (self.a_plus_1 - u);
        let rate = target + self.minus_k_a - v;
        // TINY keeps u, and v after it, from decaying to denormals.
        let du = A::mul_add(self.dt * u, rate, T::from_f64(T::TINY));
        let epsilon = self.epsilon_dt + self.mu_1_dt * v / (u + self.mu_2);
        (du, [A::mul_add(epsilon, target - v, v)])
    }
}
