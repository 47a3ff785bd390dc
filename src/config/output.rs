//! Section `[output]`: files beside the results.

use serde::{Deserialize, Serialize};

use super::schema::{Key, Kind, Section};
use super::table;

/// Section `[output]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputOptions {
    /// Kinds of files beside every HDF5 result.
    pub formats: Vec<OutputFormat>,
}

/// A kind of file beside a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// ParaView, by its reader of XDMF.
    Xdmf,
    /// ParaView and VTK, by their reader of VTKHDF.
    Vtkhdf,
    /// Activation times as openCARP and meshalyzer have them.
    Dat,
}

impl OutputFormat {
    /// Extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            OutputFormat::Xdmf => "xdmf",
            OutputFormat::Vtkhdf => "vtkhdf",
            OutputFormat::Dat => "dat",
        }
    }
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            formats: vec![OutputFormat::Xdmf],
        }
    }
}

impl OutputOptions {
    /// Whether files of this kind are wanted.
    pub fn has(&self, format: OutputFormat) -> bool {
        self.formats.contains(&format)
    }

    /// The result `NAME.h5` and the files beside it; a grid has no times of vertices.
    pub fn files(&self, name: &str, on_mesh: bool) -> Vec<String> {
        let all = [OutputFormat::Xdmf, OutputFormat::Vtkhdf, OutputFormat::Dat];
        let beside =
            (all.into_iter()).filter(|f| self.has(*f) && (on_mesh || *f != OutputFormat::Dat));
        let extensions = std::iter::once("h5").chain(beside.map(OutputFormat::extension));
        extensions.map(|e| format!("{name}.{e}")).collect()
    }
}

pub const SECTION: Section = Section {
    name: "output",
    doc: "Files beside the HDF5 results.",
    keys: &[Key::new(
        "formats",
        Kind::List(&Kind::Choice(&["xdmf", "vtkhdf", "dat"])),
        "files beside each result: xdmf and vtkhdf for ParaView, dat with the activation times of \
         the vertices for openCARP (-1: never)",
    )],
    alternatives: &[],
    defaults: || table(&OutputOptions::default()),
};
