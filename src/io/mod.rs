//! Result files, and datasets given as input.

mod dataset;
mod hdf5;
mod xdmf;

pub use dataset::{read_f64, read_integers, read_matrix, read_rows, read_vertices};
pub use hdf5::ResultFile;
pub use xdmf::Centre;
