//! Kernels for a device: as host C++ they give the results of their Rust twins, through the whole
//! path that a run takes; and NVRTC and ptxas, where they are installed, compile them all. Where there
//! is a GPU, all of it is done there, too.

mod command;
#[path = "../common/mod.rs"]
mod common;
mod compile;
mod driver;
mod eikonal;
mod fk;
mod host;

/// Says which devices the tests of this file run on.
#[test]
fn with_a_gpu_or_aloud_without() {
    match isochrone::device::probe::devices() {
        Ok(devices) => devices
            .iter()
            .for_each(|d| eprintln!("on {d} and on the host")),
        Err(reason) => eprintln!("SKIPPED on a GPU: {reason}; on the host only"),
    }
}
