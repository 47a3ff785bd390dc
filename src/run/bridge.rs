//! Activation times of a grid as a mesh file that `isochrone invert` takes as measured.

use std::path::Path;

use super::result::companions;
use crate::config::{OutputFormat, OutputOptions};
use crate::error::Result;
use crate::io::{Centre, ResultFile};
use crate::mesh::TetMesh;
use crate::mesh::formats::carp_data::write_times;

/// Where the file has the times: `inversion.measured = { file, dataset }`.
pub const DATASET: &str = "/fields/activation_time";

/// Writes `path`: the mesh, and `times` of its vertices (ms, +∞ where none; as of
/// [`crate::monodomain::bridge::sample`]), with attributes of the file that tell where they come
/// from.
///
/// # Errors
/// [`crate::error::Error::Io`] with the path: no folder, no permission, disk full.
pub fn write(
    path: &Path,
    mesh: &TetMesh,
    times: &[f64],
    provenance: &[(String, String)],
    output: &OutputOptions,
) -> Result<()> {
    let mut file = ResultFile::create(path)?;
    file.companions(companions(output));
    if output.has(OutputFormat::Dat) {
        write_times(&path.with_extension("dat"), times)?;
    }
    file.mesh(mesh)?;
    file.field(DATASET, Centre::Vertices, 1, times, "ms")?;
    file.provenance(provenance)?;
    file.finish()
}
