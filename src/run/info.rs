//! `isochrone info`: version, libraries and what this machine offers.

use std::fmt::Write;

use crate::comm::Communicator;
use crate::device::choose;
use crate::error::Result;
use crate::report::{COMMIT, VERSION, hostname};
use crate::simd::SimdLevel;

/// Prints it, on rank 0.
pub fn run(comm: &dyn Communicator) -> Result<()> {
    super::print_on_root(comm, &text(comm.size()))
}

fn text(ranks: usize) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11} {value}");
    };
    line("version", VERSION);
    line("commit", COMMIT);
    line("features", &features());
    for (name, version) in libraries() {
        line(&name, &version);
    }
    line("host", &hostname());
    line("ranks", &ranks.to_string());
    line("processors", &processors().to_string());
    line("SIMD", SimdLevel::detect().name());
    line("devices", "cpu");
    for device in choose::describe() {
        line("", &device);
    }
    text
}

fn features() -> String {
    let all = [
        ("mpi", cfg!(feature = "mpi")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let on: Vec<_> = all
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| *name)
        .collect();
    if on.is_empty() {
        "none".into()
    } else {
        on.join(", ")
    }
}

/// Names and versions of the libraries that results depend on.
pub fn libraries() -> Vec<(String, String)> {
    let (major, minor, patch) = hdf5::library_version();
    #[allow(unused_mut)]
    let mut all = vec![("HDF5".to_string(), format!("{major}.{minor}.{patch}"))];
    #[cfg(feature = "mpi")]
    all.push(("MPI".to_string(), crate::comm::mpi::library_version()));
    all
}

/// Processors that this process may run on.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The list of these processors as the system names them; empty where it does not.
pub fn allowed_processors() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim().to_string()
}
