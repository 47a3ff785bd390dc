//! The three-variable model of Fenton & Karma, Chaos 8 (1998) 20.
//!
//!   ∂u/∂t = ∇·(D ∇u) − J_fi(u,v) − J_so(u) − J_si(u,w)
//!   ∂v/∂t = (1 − p)(1 − v)/τ_v⁻(u) − p v/τ_v⁺,      τ_v⁻(u) = (1 − q) τ_v1⁻ + q τ_v2⁻
//!   ∂w/∂t = (1 − p)(1 − w)/τ_w⁻     − p w/τ_w⁺
//!   p = H(u − u_c),  q = H(u − u_v),  H(0) = 1
//!   J_fi = − v p (1 − u)(u − u_c)/τ_d
//!   J_so = u (1 − p)/τ_0 + p/τ_r
//!   J_si = − w (1 + tanh[k (u − u_c^si)]) / (2 τ_si)
//!
//! u: scaled membrane potential, V = 100 u − 85 mV; v: fast gate; w: slow gate; τ in ms.
//! u exceeds 1 in several sets and is never clamped.

use std::collections::BTreeMap;
use std::hint::select_unpredictable as select;

use super::constants::Constants;
use super::logistic::Logistic;
use super::{GateStep, IonicModel, Kinetics, relaxation};
use crate::error::Result;
use crate::real::{Arithmetic, Float};

/// One set of constants. Named as in Fenton, Cherry, Hastings, Evans, Chaos 12 (2002) 852: v opens
/// with τ_v1⁻ below u_v and with τ_v2⁻ between u_v and u_c (the 1998 paper and some programs name
/// the two the other way round).
#[derive(Debug, Clone, PartialEq)]
pub struct FentonKarma {
    pub tau_v_plus: f64,
    pub tau_v1_minus: f64,
    pub tau_v2_minus: f64,
    pub tau_d: f64,
    pub tau_0: f64,
    pub tau_r: f64,
    pub u_c: f64,
    /// Does not matter where τ_v1⁻ = τ_v2⁻.
    pub u_v: f64,
    /// `None`: no J_si, and w stays at 1.
    pub slow: Option<SlowCurrent>,
}

/// Constants of the slow inward current J_si and its gate.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowCurrent {
    pub tau_w_plus: f64,
    pub tau_w_minus: f64,
    pub tau_si: f64,
    pub k: f64,
    pub u_c_si: f64,
}

/// A row of the published table: τ_v⁺ τ_v1⁻ τ_v2⁻ τ_w⁺ τ_w⁻ τ_d τ_0 τ_r τ_si k u_c^si u_c u_v.
const fn row(r: [f64; 13]) -> FentonKarma {
    FentonKarma {
        slow: Some(SlowCurrent {
            tau_w_plus: r[3],
            tau_w_minus: r[4],
            tau_si: r[8],
            k: r[9],
            u_c_si: r[10],
        }),
        ..two_variables([r[0], r[1], r[2], r[5], r[6], r[7], r[11], r[12]])
    }
}

/// A row without slow current: τ_v⁺ τ_v1⁻ τ_v2⁻ τ_d τ_0 τ_r u_c u_v.
const fn two_variables(r: [f64; 8]) -> FentonKarma {
    FentonKarma {
        tau_v_plus: r[0],
        tau_v1_minus: r[1],
        tau_v2_minus: r[2],
        tau_d: r[3],
        tau_0: r[4],
        tau_r: r[5],
        u_c: r[6],
        u_v: r[7],
        slow: None,
    }
}

const fn set_1(tau_d: f64) -> FentonKarma {
    row([
        3.33, 19.6, 1000., 667., 11., tau_d, 8.3, 50., 45., 10., 0.85, 0.13, 0.055,
    ])
}

const fn set_4(tau_d: f64) -> FentonKarma {
    row([
        3.33, 15.6, 5., 350., 80., tau_d, 9., 34., 26.5, 15., 0.45, 0.15, 0.04,
    ])
}

/// Fenton, Cherry, Hastings, Evans 2002. Sets 2 and 7 have no slow current (and their τ_v1⁻ = τ_v2⁻:
/// u_v = 0 stands for "none").
#[rustfmt::skip]
const SETS: [(&str, FentonKarma); 16] = [
    ("1A", set_1(0.41)),
    ("1B", set_1(0.392)),
    ("1C", set_1(0.381)),
    ("1D", set_1(0.36)),
    ("1E", set_1(0.25)),
    ("2", two_variables([10., 10., 10., 0.25, 10., 190., 0.13, 0.])),
    ("3", row([3.33, 19.6, 1250., 870., 41., 0.25, 12.5, 33.33, 29., 10., 0.85, 0.13, 0.04])),
    ("4A", set_4(0.407)),
    ("4B", set_4(0.405)),
    ("4C", set_4(0.4)),
    ("5", row([3.33, 12., 2., 1000., 100., 0.362, 5., 33.33, 29., 15., 0.7, 0.13, 0.04])),
    ("6", row([3.33, 9., 8., 250., 60., 0.395, 9., 33.33, 29., 15., 0.5, 0.13, 0.04])),
    ("7", two_variables([10., 7., 7., 0.25, 12., 100., 0.13, 0.])),
    ("8", row([13.03, 19.6, 1250., 800., 40., 0.45, 12.5, 33.25, 29., 10., 0.85, 0.13, 0.04])),
    ("9", row([3.33, 15., 2., 670., 61., 0.25, 12.5, 28., 29., 10., 0.45, 0.13, 0.05])),
    ("10", row([10., 40., 333., 1000., 65., 0.115, 12.5, 25., 22.22, 10., 0.85, 0.13, 0.025])),
];

const SLOW: [&str; 5] = ["tau_w_plus", "tau_w_minus", "tau_si", "k", "u_c_si"];

impl IonicModel<2> for FentonKarma {
    const NAME: &'static str = "fenton-karma";
    const GATES: [&'static str; 2] = ["v", "w"];
    const SETS: &'static [(&'static str, Self)] = &SETS;
    const CONSTANTS: &'static [&'static str] = &[
        "tau_v_plus",
        "tau_v1_minus",
        "tau_v2_minus",
        "tau_w_plus",
        "tau_w_minus",
        "tau_d",
        "tau_0",
        "tau_r",
        "tau_si",
        "k",
        "u_c_si",
        "u_c",
        "u_v",
    ];
    type Kinetics<T: Float> = FentonKarmaKinetics<T>;

    /// The slow current's five constants may all be absent (no slow current), and u_v where
    /// τ_v1⁻ = τ_v2⁻.
    fn from_constants(table: &BTreeMap<String, f64>) -> Result<Self> {
        let table = Constants::new(Self::NAME, Self::CONSTANTS, table)?;
        let slow = if SLOW.iter().any(|name| table.has(name)) {
            Some(SlowCurrent {
                tau_w_plus: table.positive("tau_w_plus")?,
                tau_w_minus: table.positive("tau_w_minus")?,
                tau_si: table.positive("tau_si")?,
                k: table.positive("k")?,
                u_c_si: table.finite("u_c_si")?,
            })
        } else {
            None
        };
        let (tau_v1_minus, tau_v2_minus) = (
            table.positive("tau_v1_minus")?,
            table.positive("tau_v2_minus")?,
        );
        let u_v_matters = table.has("u_v") || tau_v1_minus != tau_v2_minus;
        Ok(Self {
            tau_v_plus: table.positive("tau_v_plus")?,
            tau_v1_minus,
            tau_v2_minus,
            tau_d: table.positive("tau_d")?,
            tau_0: table.positive("tau_0")?,
            tau_r: table.positive("tau_r")?,
            u_c: table.fraction("u_c")?,
            u_v: if u_v_matters {
                table.non_negative("u_v")?
            } else {
                0.0
            },
            slow,
        })
    }

    fn constants(&self) -> Vec<(&'static str, f64)> {
        let mut list = vec![
            ("tau_v_plus", self.tau_v_plus),
            ("tau_v1_minus", self.tau_v1_minus),
            ("tau_v2_minus", self.tau_v2_minus),
            ("tau_d", self.tau_d),
            ("tau_0", self.tau_0),
            ("tau_r", self.tau_r),
            ("u_c", self.u_c),
            ("u_v", self.u_v),
        ];
        if let Some(slow) = &self.slow {
            list.extend([
                ("tau_w_plus", slow.tau_w_plus),
                ("tau_w_minus", slow.tau_w_minus),
                ("tau_si", slow.tau_si),
                ("k", slow.k),
                ("u_c_si", slow.u_c_si),
            ]);
        }
        list
    }

    fn rest(&self) -> (f64, [f64; 2]) {
        (0.0, [1.0, 1.0])
    }

    /// −∂J_fi/∂u at u = v = 1 is −(1 − u_c)/τ_d.
    fn reaction_rate(&self) -> f64 {
        (1.0 - self.u_c) / self.tau_d
    }

    fn kinetics<T: Float>(&self, dt: f64, gates: GateStep) -> FentonKarmaKinetics<T> {
        let fast = dt / self.tau_d;
        let idle = [T::from_f64(1.0), T::from_f64(0.0)];
        let slow = self.slow.as_ref();
        FentonKarmaKinetics {
            u_c: T::from_f64(self.u_c),
            u_v: T::from_f64(self.u_v),
            fast: [
                T::from_f64(-fast * self.u_c),
                T::from_f64(fast * (1.0 + self.u_c)),
                T::from_f64(-fast),
            ],
            out_excited: T::from_f64(-dt / self.tau_r),
            out_resting: T::from_f64(-dt / self.tau_0),
            v_excited: relaxation(dt, self.tau_v_plus, 0.0, gates),
            v_below: relaxation(dt, self.tau_v1_minus, 1.0, gates),
            v_above: relaxation(dt, self.tau_v2_minus, 1.0, gates),
            w_excited: slow.map_or(idle, |s| relaxation(dt, s.tau_w_plus, 0.0, gates)),
            w_resting: slow.map_or(idle, |s| relaxation(dt, s.tau_w_minus, 1.0, gates)),
            // Without slow current u would decay to denormals.
            slow: slow.map_or(Logistic::tiny(), |s| {
                Logistic::new(2.0 * s.k, s.u_c_si, s.tau_si / dt)
            }),
        }
    }
}

/// [`FentonKarma`] folded for one Δt.
#[derive(Debug, Clone, Copy)]
pub struct FentonKarmaKinetics<T> {
    u_c: T,
    u_v: T,
    /// (1 − u)(u − u_c) Δt/τ_d as a polynomial in u, constant term first.
    fast: [T; 3],
    /// −Δt/τ_r and −Δt/τ_0.
    out_excited: T,
    out_resting: T,
    /// a, b of g' = a g + b: p = 1; p = 0 and q = 0; p = 0 and q = 1.
    v_excited: [T; 2],
    v_below: [T; 2],
    v_above: [T; 2],
    w_excited: [T; 2],
    w_resting: [T; 2],
    /// Δt (1 + tanh[k (u − u_c^si)]) / (2 τ_si).
    slow: Logistic<T>,
}

impl<T: Float> Kinetics<T, 2> for FentonKarmaKinetics<T> {
    const TWIN: (&'static str, &'static str) =
        ("ionic/fenton_karma.cuh", include_str!("fenton_karma.cuh"));

    fn words(&self) -> Vec<T> {
        let mut words = vec![self.u_c, self.u_v];
        words.extend(self.fast);
        words.extend([self.out_excited, self.out_resting]);
        words.extend([self.v_excited, self.v_below, self.v_above].concat());
        words.extend([self.w_excited, self.w_resting].concat());
        words.extend(self.slow.words());
        words
    }

    #[inline(always)]
    fn step<A: Arithmetic>(&self, u: T, [v, w]: [T; 2]) -> (T, [T; 2]) {
        let p = u >= self.u_c;
        let q = u >= self.u_v;
        let product = A::mul_add(u, A::mul_add(u, self.fast[2], self.fast[1]), self.fast[0]);
        let excited = A::mul_add(v, product, self.out_excited);
        let (numerator, denominator) = self.slow.quotient::<A>(u);
        let slow = w * numerator / denominator;
        let du = select(p, excited, u * self.out_resting) + slow;
        // By component: selected as arrays they would be gathered from memory.
        let a_v = select(q, self.v_above[0], self.v_below[0]);
        let b_v = select(q, self.v_above[1], self.v_below[1]);
        let a_v = select(p, self.v_excited[0], a_v);
        let b_v = select(p, self.v_excited[1], b_v);
        let a_w = select(p, self.w_excited[0], self.w_resting[0]);
        let b_w = select(p, self.w_excited[1], self.w_resting[1]);
        (du, [A::mul_add(v, a_v, b_v), A::mul_add(w, a_w, b_w)])
    }
}
