//! What is given beside `[fk]` and does nothing.

use super::Origins;
use crate::inversion::options::{DatasetRef, InversionOptions, Where};
use crate::mesh::formats::carp_data::is_called;

/// A line per key of `[inversion]`.
pub(super) fn inversion(options: &InversionOptions, origins: &Origins) -> Vec<String> {
    let vertices = match &options.vertices {
        Where::Dataset(from) => Some(from),
        _ => None,
    };
    let text_files = [
        ("measured", options.measured.as_ref(), "dat"),
        ("weights", options.weights.as_ref(), "dat"),
        ("vertices", vertices, "vtx"),
    ];
    let unused = |(name, from, extension): (&str, Option<&DatasetRef>, &str)| {
        let from = from.filter(|from| is_called(&from.file, extension))?;
        let dataset = from.dataset.as_ref()?;
        let what = format!(
            "\"{dataset}\" has no effect: a .{extension} is a text without datasets; remove the key, or \
             give an HDF5 file"
        );
        Some(origins.line(&format!("inversion.{name}.dataset"), &what))
    };
    text_files.into_iter().filter_map(unused).collect()
}
