//! Section `[run]`: threads, device, SIMD level, time limit.

use serde::{Deserialize, Serialize};

use super::schema::{Key, Kind, Range, Section};
use super::table;
use crate::device::DeviceChoice;
use crate::error::{Error, Result};
use crate::simd::SimdLevel;

/// Section `[run]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// Threads per rank; absent: the node's cores divided by its ranks.
    pub threads: Option<usize>,
    pub device: DeviceChoice,
    pub simd: SimdChoice,
    /// Wall-time limit, minutes.
    pub max_minutes: Option<f64>,
}

/// Instruction set of the CPU kernels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SimdChoice {
    /// The best of each node.
    #[default]
    Auto,
    Avx512,
    Avx2,
    Baseline,
}

impl SimdChoice {
    /// Makes this level the one of this process; every rank calls it.
    ///
    /// # Errors
    /// [`Error::BadData`] where this machine lacks the level.
    pub fn pin(self) -> Result<()> {
        let level = match self {
            SimdChoice::Auto => return Ok(()),
            SimdChoice::Avx512 => SimdLevel::Avx512,
            SimdChoice::Avx2 => SimdLevel::Avx2,
            SimdChoice::Baseline => SimdLevel::Baseline,
        };
        if level.pin() {
            return Ok(());
        }
        Err(Error::bad_data(
            format!("run.simd = \"{}\"", level.name()),
            format!("this machine has {} at best", SimdLevel::best().name()),
            "pin a level that all machines of the run have, or leave it at auto",
        ))
    }
}

pub const SECTION: Section = Section {
    name: "run",
    doc: "Threads, device, SIMD level and time limit.",
    keys: &[
        Key::new("threads", Kind::Integer(1), "threads per rank")
            .absent("cores of the node divided by its ranks"),
        Key::new(
            "device",
            Kind::Choice(&["auto", "cpu", "cuda"]),
            "where a rank computes; auto: a GPU where there is one",
        ),
        Key::new(
            "simd",
            Kind::Choice(&["auto", "avx512", "avx2", "baseline"]),
            "instruction set of the CPU kernels; pinned, runs on different machines give the same bits",
        ),
        Key::new(
            "max_minutes",
            Kind::Number(Range::Positive),
            "wall time after which an inversion or a simulation stops and keeps what it has",
        )
        .unit("min")
        .absent("no limit"),
    ],
    alternatives: &[],
    defaults: || table(&RunOptions::default()),
};
