//! Result files, recordings and checkpoints, and datasets given as input.

mod checkpoint;
mod compare;
mod compare_values;
mod dataset;
mod fingerprint;
mod hdf5;
mod hdf5_chunks;
mod numbered;
mod parted_mesh;
mod recording;
mod segments;
mod series;
mod streamed;
mod voxel_file;
mod vtkhdf;
mod vtkhdf_steps;
mod xdmf;
mod xdmf_cells;

pub use checkpoint::{Checkpoint, CheckpointWriter, PREFIX as CHECKPOINT_PREFIX, Stored, latest};
pub use compare::{Comparison, Different, Outcome, Texts, Tolerance, compare, has, root_text};
pub use compare_values::Norms;
pub use dataset::{
    dataset_names, read_f64, read_integers, read_matrix, read_number, read_row, read_rows,
    read_shape, read_text, read_vertices,
};
pub use fingerprint::Fingerprint;
pub use hdf5::{CellValue, Companions, ResultFile};
pub use parted_mesh::{PartedMesh, write_parted};
pub use recording::{Layout, Recording};
pub use segments::{PREFIX as SEGMENT_PREFIX, Segments};
pub use streamed::blocks;
pub use voxel_file::{read_voxels, write_voxels};
pub use xdmf::{Centre, NumberType};
pub use xdmf_cells::Frames;
