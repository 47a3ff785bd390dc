//! Section `[run]`: threads, device, time limit.

use serde::{Deserialize, Serialize};

use super::schema::{Key, Kind, Range, Section};
use super::table;

/// Section `[run]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// Threads per rank; absent: the node's cores divided by its ranks.
    pub threads: Option<usize>,
    pub device: DeviceChoice,
    /// Wall-time limit, minutes.
    pub max_minutes: Option<f64>,
}

/// Where a rank computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A GPU where there is one, else the CPU.
    #[default]
    Auto,
    Cpu,
    /// A GPU, or an error.
    Cuda,
}

impl DeviceChoice {
    /// Name as in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Cpu => "cpu",
            DeviceChoice::Cuda => "cuda",
        }
    }
}

pub const SECTION: Section = Section {
    name: "run",
    doc: "Threads, device and time limit.",
    keys: &[
        Key::new("threads", Kind::Integer(1), "threads per rank")
            .absent("cores of the node divided by its ranks"),
        Key::new(
            "device",
            Kind::Choice(&["auto", "cpu", "cuda"]),
            "where a rank computes; auto: a GPU where there is one",
        ),
        Key::new(
            "max_minutes",
            Kind::Number(Range::Positive),
            "wall time after which an inversion stops and keeps what it has",
        )
        .unit("min")
        .absent("no limit"),
    ],
    alternatives: &[],
    defaults: || table(&RunOptions::default()),
};
