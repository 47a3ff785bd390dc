//! Configuration: built-in defaults < files in order < environment < `--set`.
//!
//! A section is one file here with its keys, its struct and its checks, and one line in
//! [`SECTIONS`] and in [`Case`].

mod checkpoint;
mod conduction;
mod domains;
mod eikonal;
mod fk;
mod fk_keys;
mod fk_region;
mod fk_stimulus;
mod fk_warnings;
mod gradient;
mod inversion;
mod layers;
mod mesh;
mod origins;
mod output;
mod problem;
mod reader;
mod run;
mod schema;
mod show;
mod source;
mod value;
mod warnings;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use conduction::{Conduction, Orthotropic, Speed};
pub use domains::{Division, Domains};
pub use gradient::GradientOptions;
pub use layers::Origin;
pub use mesh::{FibreRule, MeshInput, MeshOrigin};
pub use origins::Origins;
pub use output::{OutputFormat, OutputOptions};
pub use problem::Problem;
pub use run::{RunOptions, SimdChoice};
pub use show::documentation;
pub use source::{Place, Source, Sphere, Unknown};

use crate::comm::{Communicator, agree, broadcast_json};
use crate::eikonal::options::EikonalOptions;
use crate::error::{Error, Result};
use crate::inversion::options::InversionOptions;
use crate::monodomain::options::{CheckpointOptions, FkOptions, GridOptions};
use layers::{Assignment, Layers, extract};
use schema::{Kind, Schema, Section};

/// All sections, in the order in which they are shown.
const SECTIONS: &[&Section] = &[
    &mesh::SECTION,
    &conduction::SECTION,
    &domains::SECTION,
    &source::SECTION,
    &eikonal::SECTION,
    &gradient::SECTION,
    &inversion::SECTION,
    &fk_keys::FK,
    &fk_keys::PARAMETER_REGION,
    &fk_keys::PARAMETER_CELLS,
    &fk_keys::HOLE,
    &fk_keys::STIMULUS,
    &fk_keys::STIMULUS_CELLS,
    &fk_keys::RESTITUTION_CELLS,
    &fk_keys::RECORD,
    &output::SECTION,
    &checkpoint::SECTION,
    &run::SECTION,
];

const SCHEMA: Schema = Schema { sections: SECTIONS };

/// What the layers are read from.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    pub files: Vec<PathBuf>,
    /// Environment variables; those that are not ours are passed over.
    pub environment: Vec<(String, String)>,
    /// Options of the command line that set a key, in order.
    pub arguments: Vec<Argument>,
}

/// An option of the command line that sets a key.
#[derive(Debug, Clone)]
pub struct Argument {
    /// `--set`, `--threads`.
    pub option: String,
    /// Dotted key.
    pub key: String,
    /// TOML, or a string where it is not TOML.
    pub value: String,
}

/// The merged layers, before they are a case: what `isochrone config show` prints.
#[derive(Debug, Clone)]
pub struct Merged {
    assignments: Vec<Assignment>,
    /// The first layer.
    defaults: Vec<Assignment>,
}

/// A validated case. Lengths and coordinates are in `mesh.unit`, those of `[fk]` in mm; times in ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    mesh: Option<MeshInput>,
    #[serde(default)]
    pub conduction: Conduction,
    pub domains: Domains,
    #[serde(default, deserialize_with = "crate::numbered_list::numbered")]
    source: Vec<Source>,
    pub eikonal: EikonalOptions,
    pub inversion: InversionOptions,
    pub gradient: GradientOptions,
    fk: FkOptions,
    pub output: OutputOptions,
    pub checkpoint: CheckpointOptions,
    pub run: RunOptions,
    /// Where each value came from.
    #[serde(skip)]
    pub origins: Origins,
    #[serde(default)]
    files: Vec<NamedFile>,
    #[serde(skip)]
    toml: String,
}

/// A file that a key names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NamedFile {
    key: String,
    path: PathBuf,
}

/// Reads and merges the layers.
///
/// # Errors
/// [`Error::MissingInput`] or [`Error::Io`] for a file that cannot be read; [`Error::Config`] for TOML that
/// is not, and keys and values that the schema does not have.
pub fn merge(inputs: &Inputs) -> Result<Merged> {
    let cwd = std::env::current_dir().map_err(|e| Error::io(Path::new("."), "read", &e))?;
    let mut layers = Layers::defaults(&SCHEMA)?;
    let defaults = layers.merged().to_vec();
    for file in &inputs.files {
        layers.add_file(file)?;
    }
    for (name, value) in &inputs.environment {
        layers.add_variable(name, value, &cwd)?;
    }
    for a in &inputs.arguments {
        layers.add_argument(&a.option, &a.key, &a.value, &cwd)?;
    }
    let mut assignments = layers.finish()?;
    fk::default_parameters(&mut assignments);
    Ok(Merged {
        assignments,
        defaults,
    })
}

/// Reads, merges and validates the layers.
///
/// # Errors
/// Those of [`merge`] and [`Merged::case`].
pub fn load(inputs: &Inputs) -> Result<Case> {
    merge(inputs)?.case()
}

/// The case that rank 0 loads and that meets the command's `needs`, on all ranks. Collective.
///
/// # Errors
/// Those of [`load`] and of `needs`, on all ranks.
pub fn load_on_root(
    comm: &dyn Communicator,
    inputs: &Inputs,
    needs: impl Fn(&Case) -> Result<()>,
) -> Result<Case> {
    let loaded = if comm.rank() == 0 {
        load(inputs).and_then(|case| {
            needs(&case)?;
            Ok(Some(case))
        })
    } else {
        Ok(None)
    };
    match agree(comm, loaded)? {
        Some(case) if comm.size() == 1 => Ok(case),
        case => {
            let sent = case.map(|case| {
                let (origins, toml) = (case.origins.clone(), case.toml.clone());
                (case, origins, toml)
            });
            let (mut case, origins, toml): (Case, _, _) = broadcast_json(comm, 0, sent)?;
            case.origins = origins;
            case.toml = toml;
            Ok(case)
        }
    }
}

impl Merged {
    /// The validated case.
    ///
    /// # Errors
    /// [`Error::Config`] for a value of the wrong type or out of range, and for values that contradict each
    /// other.
    pub fn case(&self) -> Result<Case> {
        mesh::check_generator(&self.assignments)?;
        let mut case: Case = extract(&self.assignments)?;
        case.origins = Origins::new(&self.assignments, &self.defaults);
        case.files = self.files();
        case.toml = self.to_toml();
        case.domains.validate(&case.origins)?;
        source::validate(&case.source, &case.origins)?;
        inversion::validate(&case.inversion, &case.domains, &case.source, &case.origins)?;
        if case.simulates() {
            fk::validate(&case.fk, &case.origins)?;
        }
        Ok(case)
    }

    fn files(&self) -> Vec<NamedFile> {
        let named = |a: &Assignment| match (SCHEMA.find(&a.pattern), &a.value) {
            (schema::Found::Node { key: Some(key), .. }, value::Value::Text(name))
                if matches!(key.kind, Kind::Path) =>
            {
                Some(NamedFile {
                    key: a.key(),
                    path: PathBuf::from(name),
                })
            }
            _ => None,
        };
        self.assignments.iter().filter_map(named).collect()
    }
}

impl Case {
    /// Checks that all files named exist. On the rank that loaded the case.
    ///
    /// # Errors
    /// As [`check_files`](Self::check_files).
    pub fn check_all_files(&self) -> Result<()> {
        self.check_files(&SCHEMA.tables())
    }

    /// Checks that the files named in some sections exist. On the rank that loaded the case.
    ///
    /// # Errors
    /// [`Error::MissingInput`] with the first file that is not there, and its key.
    pub fn check_files(&self, sections: &[&str]) -> Result<()> {
        let asked = |file: &&NamedFile| {
            sections
                .iter()
                .any(|s| file.key.split('.').next() == Some(s))
        };
        match self
            .files
            .iter()
            .filter(asked)
            .find(|file| !file.path.exists())
        {
            None => Ok(()),
            Some(NamedFile { key, path }) => Err(Error::MissingInput {
                path: path.clone(),
                what: "file".into(),
                remedy: format!(
                    "check the path, given by {key} ({}): a relative one starts at {}",
                    self.origins.of(key),
                    match self.origins.in_file(key) {
                        true => "the folder of that file",
                        false => "the current folder",
                    }
                ),
            }),
        }
    }

    /// The mesh, which a command on tetrahedra needs.
    ///
    /// # Errors
    /// [`Error::Config`] where none is given.
    pub fn mesh(&self) -> Result<&MeshInput> {
        self.mesh.as_ref().ok_or_else(|| {
            self.origins.error(
                "mesh",
                "there is no mesh",
                "give mesh.file, or mesh.generate = { kind = \"biventricle\", edge = 2.0 }",
            )
        })
    }

    /// The sources, at least one.
    ///
    /// # Errors
    /// [`Error::Config`] where there is none.
    pub fn sources(&self) -> Result<&[Source]> {
        if self.source.is_empty() {
            return Err(self.origins.error(
                "source",
                "there is no source, so no wave would start",
                "add [[source]] with vertices, point, sphere, tag or file",
            ));
        }
        Ok(&self.source)
    }

    /// The options of a misfit, which has measured times or a twin experiment.
    ///
    /// # Errors
    /// [`Error::Config`] where it has neither.
    pub fn inversion(&self) -> Result<&InversionOptions> {
        if self.inversion.measured.is_none() && self.inversion.twin.is_none() {
            return Err(self.origins.missing(
                "inversion.measured",
                "there are no activation times to fit",
                "give inversion.measured = { file, dataset } or inversion.twin = { gamma }",
            ));
        }
        Ok(&self.inversion)
    }

    /// Whether the case has a simulation on a grid: anything said in `[fk]` but the defaults, which
    /// the `config.toml` of every run holds.
    pub fn simulates(&self) -> bool {
        self.fk != FkOptions::default()
    }

    /// The simulation, with grid, diffusivity and length; and the mesh where its grid needs one.
    ///
    /// # Errors
    /// [`Error::Config`] where something of these is missing.
    pub fn fk(&self) -> Result<&FkOptions> {
        fk::complete(&self.fk, &self.origins)?;
        if let Some(GridOptions::Case { .. }) = self.fk.grid {
            self.mesh().map_err(|_| {
                self.origins.error(
                    "fk.grid",
                    "says neither shape, mesh nor voxels, and there is no [mesh] to voxelise",
                    "give fk.grid = { shape = [256, 256], spacing = 0.25 }, or a mesh",
                )
            })?;
            let checks = fk::Checks {
                options: &self.fk,
                origins: &self.origins,
            };
            for (number, probe) in self.fk.record.probes.iter().enumerate() {
                checks.probe_axes(number, probe)?;
            }
        }
        Ok(&self.fk)
    }

    /// What is given in the simulation's sections and does nothing, or not quite what it says.
    pub fn fk_warnings(&self) -> Vec<String> {
        fk_warnings::warnings(&self.fk, &self.checkpoint, &self.output, &self.origins)
    }

    /// The same of the inversion's.
    pub fn inversion_warnings(&self) -> Vec<String> {
        warnings::inversion(&self.inversion, &self.origins)
    }

    /// The resolved configuration: TOML with absolute paths that runs the same case again.
    pub fn to_toml(&self) -> &str {
        &self.toml
    }
}

/// The error that nothing is there whose vertices could sample activation times.
pub fn without_mesh(origins: &Origins) -> Error {
    origins.error(
        "fk.bridge",
        "there is no mesh whose vertices could sample the activation times",
        "give fk.bridge.mesh, or voxelise a mesh in this run",
    )
}

/// The values of a struct as TOML text.
fn table<T: Serialize>(value: &T) -> String {
    toml::to_string(value).unwrap_or_else(|e| format!("# {e}"))
}

#[cfg(test)]
mod tests;
