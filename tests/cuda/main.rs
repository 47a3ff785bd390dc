//! Kernels for a device: as host C++ they give the results of their Rust twins, through the whole
//! path that a run takes; and NVRTC and ptxas, where they are installed, compile them all.

mod compile;
mod fk;
mod host;
