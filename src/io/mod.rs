//! Result files, datasets given as input, and files that appear only when complete.

mod atomic;
mod dataset;
mod hdf5;
mod sha256;
mod xdmf;

pub use atomic::write_atomic;
pub use dataset::{read_f64, read_integers, read_matrix, read_rows};
pub use hdf5::ResultFile;
pub use sha256::sha256;
pub use xdmf::Centre;
