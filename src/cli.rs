//! The command line: clap only.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::{Argument, DeviceChoice, Inputs};
use crate::error::Error;
use crate::monodomain::options::Spacing;
use crate::plot::colours::ColourMap;
use crate::plot::view::{Plane, View};
use crate::units::LengthUnit;

/// Cardiac activation times on tetrahedral meshes, their exact derivatives, and the
/// conductivities that explain measured times.
#[derive(Debug, Parser)]
#[command(name = "isochrone", version, max_term_width = 100)]
#[command(
    after_help = "Several ranks: mpirun -n 4 isochrone eikonal case.toml\n\
    All keys of a configuration: isochrone config doc"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub log: LogArgs,
}

/// How much is said on the way, and how.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Form of the log on standard error
    #[arg(
        long = "log",
        value_name = "FORM",
        global = true,
        default_value = "text"
    )]
    pub form: LogForm,
    /// Say more, on every rank (twice: still more)
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Generate, convert, inspect, repair, refine or partition a mesh
    #[command(subcommand)]
    Mesh(MeshCommand),
    /// Excitation waves: a reaction-diffusion model on a grid
    Fk(FkArgs),
    /// Activation times from sources
    Eikonal(EikonalArgs),
    /// Misfit and its derivatives by gamma (and by the velocity tensor)
    Gradient(GradientArgs),
    /// Gamma of every domain from measured activation times
    Invert(RunArgs),
    /// Pictures of a result, a mesh or a report, without a display
    Plot(PlotArgs),
    /// Table, CSV file and pictures of runs on different numbers of ranks and threads
    Scaling(ScalingArgs),
    /// Show, check or document a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Compare two result files, dataset by dataset; 1 where they differ
    Diff(DiffArgs),
    /// Run again what made a result, from the configuration in it, and compare
    Reproduce(ReproduceArgs),
    /// Version, libraries and what this machine offers
    Info,
    /// Print the completions of a shell
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands to a folder
    Man {
        /// Folder for one page per command
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

/// By how much numbers may differ.
#[derive(Debug, Clone, Copy, Args)]
pub struct ToleranceArgs {
    /// Largest difference that passes, in the unit of each dataset
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative, allow_negative_numbers = true)]
    pub absolute: f64,
    /// The same as a share of the largest number of each dataset; both add up
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = not_negative, allow_negative_numbers = true)]
    pub relative: f64,
}

#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// Result of one run
    #[arg(value_name = "A.h5")]
    pub first: PathBuf,
    /// Result of another
    #[arg(value_name = "B.h5")]
    pub second: PathBuf,
    #[command(flatten)]
    pub tolerance: ToleranceArgs,
}

#[derive(Debug, Clone, Args)]
pub struct ReproduceArgs {
    /// Result of eikonal, gradient, invert or fk
    #[arg(value_name = "FILE.h5")]
    pub file: PathBuf,
    #[command(flatten)]
    pub tolerance: ToleranceArgs,
    /// Folder of the new results [default: results/<folder of FILE>-reproduced]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Threads per rank [default: the node's cores divided by its ranks]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Where ranks compute: auto, cpu, cuda [default: that of the configuration]
    #[arg(long, value_parser = device)]
    pub device: Option<DeviceChoice>,
}

/// A case: configuration files, keys set by hand.
#[derive(Debug, Clone, Args)]
pub struct CaseArgs {
    /// Configuration files; later ones win
    #[arg(value_name = "CONFIG.toml")]
    pub configs: Vec<PathBuf>,
    /// Set a key: --set source.0.time=3 (TOML, or a string)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// Threads per rank [default: the node's cores divided by its ranks]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Where ranks compute: auto, cpu, cuda [default: auto]
    #[arg(long, value_parser = device)]
    pub device: Option<DeviceChoice>,
    /// Nothing but the files and keys above: the environment does not count.
    #[arg(skip)]
    pub sealed: bool,
}

/// A case to be run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub case: CaseArgs,
    /// Folder of the results [default: results/<config>-<command>]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write over results that are there
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Go on from what an interrupted run left in the output folder
    #[arg(long)]
    pub resume: bool,
    /// Say what would run, its memory and its files; run nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Args)]
pub struct FkArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Find the isotropic diffusivity of this conduction velocity, and run nothing (fk.tune)
    #[arg(long, value_name = "MM_PER_MS", allow_negative_numbers = true)]
    pub tune_speed: Option<f64>,
    /// Count what so many ranks would exchange, and how even their loads are; run nothing
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = at_least_one)]
    pub simulate_ranks: Vec<usize>,
}

#[derive(Debug, Clone, Args)]
pub struct EikonalArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Solve as so many ranks would, in this process, and count what they compute and exchange
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = at_least_one)]
    pub simulate_ranks: Vec<usize>,
}

#[derive(Debug, Clone, Args)]
pub struct GradientArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Also dphi/dgamma (gradient.jacobian)
    #[arg(long)]
    pub jacobian: bool,
    /// Also df/dM of every tetrahedron (gradient.tensor)
    #[arg(long)]
    pub tensor: bool,
    /// Also the error curves of finite differences (gradient.check)
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Result (.h5), report.json, mesh, table (.csv), or a folder of results
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Say what pictures the file can give; draw nothing
    #[arg(long)]
    pub list: bool,
    /// Draw these [default: those that --list marks]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub pictures: Vec<String>,
    /// Folder of the pictures [default: that of the file]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write over pictures that are there
    #[arg(long)]
    pub overwrite: bool,
    /// Width in pixels (animations: two thirds of it)
    #[arg(long, value_name = "PIXELS", default_value_t = 1200, value_parser = picture_width)]
    pub width: usize,
    /// From where a mesh is seen, once or more: front (-y), back, left, right, top, bottom, or
    /// AZIMUTH,ELEVATION in degrees [default: -120,25 and 60,25]
    #[arg(
        long = "view",
        value_name = "VIEW",
        allow_negative_numbers = true,
        allow_hyphen_values = true
    )]
    pub views: Vec<View>,
    /// Take away what lies before a plane: x=MM, y=MM, z=MM, or NX,NY,NZ=MM
    #[arg(long, value_name = "PLANE", allow_hyphen_values = true)]
    pub cut: Option<Plane>,
    /// Distance of isochrones in ms [default: about fifteen of them]
    #[arg(long, value_name = "MS", value_parser = positive)]
    pub isochrones: Option<f64>,
    /// Colour map
    #[arg(long, value_enum, default_value_t)]
    pub colours: ColourMap,
    /// Ends of the colour bar [default: the least and the largest value]
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    pub range: Option<Range>,
    /// Frames of an animation each second
    #[arg(long, value_name = "N", default_value_t = 10.0, value_parser = positive)]
    pub speed: f64,
}

/// Ends of a range.
pub type Range = (f64, f64);

#[derive(Debug, Clone, Args)]
pub struct ScalingArgs {
    /// Folders with a report.json for each run, up to four levels down; or such files
    #[arg(value_name = "DIR", required = true)]
    pub folders: Vec<PathBuf>,
    /// What is compared, a key of timings_s [default: the work of the command, without input and
    /// output: solve, solve + adjoint, inversion, step]
    #[arg(long, value_name = "NAME")]
    pub timer: Option<String>,
    /// Folder of table and pictures [default: the first DIR]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Write over those that are there
    #[arg(long)]
    pub overwrite: bool,
    /// Width of the pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1200, value_parser = picture_width)]
    pub width: usize,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the merged configuration and where each value came from
    Show(CaseArgs),
    /// Check a configuration and the files that it names
    Check(CaseArgs),
    /// Print every key with its type, default, unit and meaning
    Doc,
}

#[derive(Debug, Subcommand)]
pub enum MeshCommand {
    /// Make a mesh with fibres by rule
    Generate(GenerateArgs),
    /// Read a mesh in one format, write it in another (formats by file name)
    Convert {
        #[command(flatten)]
        files: MeshFiles,
        /// Values of the vertices to be added as a field: a .dat of openCARP's
        #[arg(long, value_name = "NAME=FILE.dat", value_parser = key_and_value)]
        data: Vec<(String, String)>,
        /// The field of the vertices to be written to OUT.dat
        #[arg(long, value_name = "NAME")]
        field: Option<String>,
    },
    /// Counts, bounding box, volumes, edges, quality, tags, components
    Info {
        #[command(flatten)]
        file: MeshFile,
    },
    /// Find inverted, degenerate and sliver tetrahedra, orphans, duplicates, missing fibres
    Check {
        #[command(flatten)]
        file: MeshFile,
        /// Write a mesh with what can be mended safely
        #[arg(long, value_name = "OUT")]
        fix: Option<PathBuf>,
        /// Write over OUT if it is there
        #[arg(long, requires = "fix")]
        overwrite: bool,
    },
    /// Fibres and sheets by rule, for ventricles without (Laplace-Dirichlet, Bayer et al. 2012)
    Fibres(FibresArgs),
    /// Divide every tetrahedron in eight, fields carried along
    Refine {
        #[command(flatten)]
        files: MeshFiles,
    },
    /// Assign every vertex to a part, and tetrahedra to domains; an .h5 also holds each part in one
    /// piece, for ranks that read their own
    Partition {
        #[command(flatten)]
        files: MeshFiles,
        /// Number of parts (ranks)
        #[arg(long, value_name = "N", value_parser = at_least_one)]
        parts: usize,
        /// Number of equal material domains
        #[arg(long, value_name = "K", value_parser = at_least_one)]
        domains: Option<usize>,
    },
    /// Cells of a grid whose centres lie in the mesh, with its tags, domains and fibres, for fk.grid
    Voxelize {
        #[command(flatten)]
        input: MeshFile,
        /// Voxels to be written: .h5
        #[arg(value_name = "OUT.h5")]
        output: PathBuf,
        /// Size of the cells in mm: one number, or Z,Y,X
        #[arg(long, value_name = "MM", value_parser = spacing, allow_negative_numbers = true)]
        spacing: Spacing,
        /// Write over OUT.h5 if it is there
        #[arg(long)]
        overwrite: bool,
    },
}

/// A mesh to be read.
#[derive(Debug, Clone, Args)]
pub struct MeshFile {
    /// Mesh: .h5, .vtu, .vtkhdf, .vtk, .msh, TetGen's .node or .ele, or one of CARP's .pts .elem .lon,
    /// or their base name
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Fibres of another file: .vtk, .vtu (vectors on points), .lon
    #[arg(long, value_name = "FILE")]
    pub fibres: Option<PathBuf>,
    /// Unit of its coordinates: um, mm, cm, m [default: um for CARP, else mm]
    #[arg(long, value_parser = length_unit)]
    pub unit: Option<LengthUnit>,
}

/// A mesh to be read and one to be written.
#[derive(Debug, Clone, Args)]
pub struct MeshFiles {
    #[command(flatten)]
    pub input: MeshFile,
    /// Mesh to be written: .h5, .vtu, .vtkhdf, .msh (Gmsh 4.1), .msh2 (Gmsh 2.2), TetGen's .node or
    /// CARP's .pts
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Write over OUT if it is there
    #[arg(long)]
    pub overwrite: bool,
}

/// Fibres by rule; angles in degrees.
#[derive(Debug, Clone, Args)]
pub struct FibresArgs {
    #[command(flatten)]
    pub files: MeshFiles,
    /// Helix angle of the fibres on the endocardium
    #[arg(long, value_name = "DEG", default_value = "60", allow_negative_numbers = true, value_parser = angle)]
    pub endocardium: f64,
    /// Helix angle of the fibres on the epicardium
    #[arg(long, value_name = "DEG", default_value = "-60", allow_negative_numbers = true, value_parser = angle)]
    pub epicardium: f64,
    /// Sheet angle on the endocardium: 0 in the plane of the wall, -90 across it
    #[arg(long, value_name = "DEG", default_value = "-65", allow_negative_numbers = true, value_parser = angle)]
    pub sheet_endocardium: f64,
    /// Sheet angle on the epicardium
    #[arg(long, value_name = "DEG", default_value = "25", allow_negative_numbers = true, value_parser = angle)]
    pub sheet_epicardium: f64,
    /// Direction from apex to base [default: found from the surface]
    #[arg(long, value_name = "X,Y,Z", value_parser = direction, allow_hyphen_values = true)]
    pub axis: Option<[f64; 3]>,
    /// Vertices of a surface in place of those found: base, epicardium, left, right or apex; in a
    /// .vtx file, or those of the surface in the tetrahedra of a tag
    #[arg(long, value_name = "NAME=FILE.vtx|tag:N", value_parser = key_and_value)]
    pub surface: Vec<(String, String)>,
    /// Folder to which the surfaces are written as .vtx files
    #[arg(long, value_name = "DIR")]
    pub write_surfaces: Option<PathBuf>,
}

/// A mesh to be generated; lengths in mm, angles in degrees.
#[derive(Debug, Clone, Args)]
pub struct GenerateArgs {
    #[arg(value_enum)]
    pub kind: GeneratorKind,
    /// Mesh to be written: .h5, .vtu, .vtkhdf, .msh, .msh2, .node or .pts
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Mean edge length
    #[arg(long, value_name = "MM", allow_negative_numbers = true)]
    pub edge: f64,
    /// Edge lengths of a slab
    #[arg(long, value_name = "X,Y,Z")]
    pub size: Option<String>,
    /// Helix angle of the fibres on the endocardium [default: 60]
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub endocardium: Option<f64>,
    /// Helix angle of the fibres on the epicardium [default: -60]
    #[arg(long, value_name = "DEG", allow_negative_numbers = true)]
    pub epicardium: Option<f64>,
    /// Set another key of mesh.generate (see `isochrone config doc`)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    pub set: Vec<(String, String)>,
    /// Write over OUT if it is there
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GeneratorKind {
    /// Box of tissue
    Slab,
    /// Truncated ellipsoidal left ventricle
    Ellipsoid,
    /// Left and right ventricle, one mesh
    Biventricle,
}

impl CaseArgs {
    /// The layers of the configuration that this command line asks for.
    pub fn inputs(&self) -> Inputs {
        let mut arguments: Vec<Argument> = self
            .set
            .iter()
            .map(|(key, value)| argument("--set", key, value))
            .collect();
        if let Some(threads) = self.threads {
            arguments.push(argument("--threads", "run.threads", &threads.to_string()));
        }
        if let Some(device) = self.device {
            arguments.push(argument("--device", "run.device", device.name()));
        }
        Inputs {
            files: self.configs.clone(),
            environment: std::env::vars_os()
                .filter(|_| !self.sealed)
                .map(|(name, value)| {
                    let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
                    (text(name), text(value))
                })
                .collect(),
            arguments,
        }
    }
}

impl GeneratorKind {
    /// Name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slab => "slab",
            Self::Ellipsoid => "ellipsoid",
            Self::Biventricle => "biventricle",
        }
    }

    /// Keys of `mesh.generate` that this kind has.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Slab => &["size", "edge", "fibre_angles"],
            Self::Ellipsoid => &["edge", "left_ventricle", "fibre_angles"],
            Self::Biventricle => &["edge", "left_ventricle", "right_ventricle", "fibre_angles"],
        }
    }
}

impl GenerateArgs {
    /// Refuses options that set a key that this kind of mesh does not have.
    ///
    /// # Errors
    /// [`Error::Usage`] with the option and the keys of the kind.
    pub fn validate(&self) -> crate::error::Result<()> {
        let size = self.size.iter().map(|_| ("--size".to_owned(), "size"));
        let set = self.set.iter().map(|(key, _)| {
            let section = key.split('.').next().unwrap_or_default();
            (format!("--set {key}"), section)
        });
        let keys = self.kind.keys();
        match size.chain(set).find(|(_, key)| !keys.contains(key)) {
            None => Ok(()),
            Some((option, key)) => Err(Error::Usage {
                problem: format!(
                    "{option}: mesh.generate has no `{key}` for kind `{}`",
                    self.kind.name()
                ),
                remedy: format!("its keys are {}", keys.join(", ")),
            }),
        }
    }

    /// The generator as the configuration `mesh.generate`, in mm.
    pub fn inputs(&self) -> Inputs {
        let mut arguments = vec![
            argument("mesh generate", "mesh.unit", "mm"),
            argument("mesh generate", "mesh.generate.kind", self.kind.name()),
            argument("--edge", "mesh.generate.edge", &self.edge.to_string()),
        ];
        if let Some(size) = &self.size {
            arguments.push(argument(
                "--size",
                "mesh.generate.size",
                &format!("[{size}]"),
            ));
        }
        for (option, name, angle) in [
            ("--endocardium", "endocardium", self.endocardium),
            ("--epicardium", "epicardium", self.epicardium),
        ] {
            if let Some(angle) = angle {
                let key = format!("mesh.generate.fibre_angles.{name}");
                arguments.push(argument(option, &key, &angle.to_string()));
            }
        }
        for (key, value) in &self.set {
            arguments.push(argument("--set", &format!("mesh.generate.{key}"), value));
        }
        Inputs {
            arguments,
            ..Inputs::default()
        }
    }
}

impl FkArgs {
    /// The run with the flags of `fk` as keys.
    pub fn as_run(&self) -> RunArgs {
        let mut run = self.run.clone();
        if let Some(speed) = self.tune_speed {
            let speed = ("fk.tune.speed".into(), speed.to_string());
            run.case.set.push(speed);
        }
        run
    }
}

impl GradientArgs {
    /// The run with the flags of `gradient` as keys.
    pub fn as_run(&self) -> RunArgs {
        let mut run = self.run.clone();
        for (given, key) in [
            (self.jacobian, "gradient.jacobian"),
            (self.tensor, "gradient.tensor"),
            (self.check, "gradient.check"),
        ] {
            if given {
                run.case.set.push((key.into(), "true".into()));
            }
        }
        run
    }
}

fn argument(option: &str, key: &str, value: &str) -> Argument {
    Argument {
        option: option.into(),
        key: key.into(),
        value: value.into(),
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_string(), value.trim().to_string()))
        }
        _ => Err("write section.key=value".into()),
    }
}

/// One positive number, or three.
fn spacing(text: &str) -> Result<Spacing, String> {
    let number = |part: &str| match part.trim().parse::<f64>() {
        Ok(h) if h.is_finite() && h > 0.0 => Ok(h),
        _ => Err(format!("{part:?} is no positive number of millimetres")),
    };
    let numbers = text.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
    match numbers[..] {
        [h] => Ok(Spacing::Same(h)),
        [_, _, _] => Ok(Spacing::PerAxis(numbers)),
        _ => Err("give one number, or three: Z,Y,X".into()),
    }
}

fn angle(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(degrees) if degrees.is_finite() => Ok(degrees),
        _ => Err("a number of degrees".into()),
    }
}

/// Three numbers, not all 0.
fn direction(text: &str) -> Result<[f64; 3], String> {
    let numbers: Option<Vec<f64>> = (text.split(','))
        .map(|part| part.trim().parse().ok().filter(|x: &f64| x.is_finite()))
        .collect();
    match numbers.as_deref() {
        Some(&[x, y, z]) if [x, y, z] != [0.0; 3] => Ok([x, y, z]),
        _ => Err("give three numbers that are not all 0: X,Y,Z".into()),
    }
}

/// A number, 0 or more.
fn not_negative(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(x) if x.is_finite() && x >= 0.0 => Ok(x),
        _ => Err(format!("{text:?} is no number ≥ 0")),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".into()),
        Ok(n) => Ok(n),
        Err(_) => Err("a whole number, at least 1".into()),
    }
}

fn device(text: &str) -> Result<DeviceChoice, String> {
    [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda]
        .into_iter()
        .find(|device| device.name() == text)
        .ok_or_else(|| "one of auto, cpu, cuda".into())
}

fn picture_width(text: &str) -> Result<usize, String> {
    let width = text.parse().ok().filter(|n| (300..=8000).contains(n));
    width.ok_or_else(|| "a whole number from 300 to 8000".into())
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|x: &f64| *x > 0.0 && x.is_finite());
    number.ok_or_else(|| "a positive number".into())
}

fn range(text: &str) -> Result<Range, String> {
    let ends = text.split_once(',').and_then(|(low, high)| {
        let end = |text: &str| text.trim().parse::<f64>().ok();
        end(low).zip(end(high))
    });
    let rising = ends.filter(|(low, high)| low < high && (high - low).is_finite());
    rising.ok_or_else(|| "two numbers, the lower first".into())
}

fn length_unit(text: &str) -> Result<LengthUnit, String> {
    [
        LengthUnit::Um,
        LengthUnit::Mm,
        LengthUnit::Cm,
        LengthUnit::M,
    ]
    .into_iter()
    .find(|unit| unit.name() == text)
    .ok_or_else(|| "one of um, mm, cm, m".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MeshOrigin, load};
    use crate::mesh::generate::{FibreAngles, Generator};

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    fn generator(arguments: &[&str]) -> crate::error::Result<Generator> {
        let all = ["isochrone", "mesh", "generate"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).expect("a command line");
        let Command::Mesh(MeshCommand::Generate(args)) = cli.command else {
            panic!("another command");
        };
        match load(&args.inputs())?.mesh()?.origin.clone() {
            MeshOrigin::Generate(generator) => Ok(generator),
            MeshOrigin::File(file) => panic!("{}", file.display()),
        }
    }

    #[test]
    fn a_generator_is_described_by_options() {
        let slab = ["slab", "o.h5", "--edge", "0.5", "--size", "4,3,2.5"];
        let fibre_angles = FibreAngles {
            endocardium: 60.0,
            epicardium: -45.0,
        };
        assert_eq!(
            generator(&[&slab[..], &["--epicardium", "-45"]].concat()).unwrap(),
            Generator::Slab {
                size: [4.0, 3.0, 2.5],
                edge: 0.5,
                fibre_angles
            }
        );
        let said = generator(&["slab", "o.h5", "--edge", "1", "--size", "4,3"]).unwrap_err();
        assert!(
            said.to_string().starts_with("--size: mesh.generate.size"),
            "{said}"
        );
        let said = generator(&["slab", "o.h5", "--edge", "-1"]).unwrap_err();
        assert!(said.to_string().starts_with("--edge: "), "{said}");
        let said = generator(&["slab", "o.h5", "--edge", "1"]).unwrap_err();
        assert!(said.to_string().contains("size"), "{said}");
    }

    #[test]
    fn a_key_that_the_kind_of_mesh_does_not_have_is_named() {
        for (line, words) in [
            (
                &["biventricle", "o.h5", "--edge", "1", "--size", "3,3,3"][..],
                ["--size", "`size`", "biventricle", "right_ventricle"],
            ),
            (
                &[
                    "slab",
                    "o.h5",
                    "--edge",
                    "1",
                    "--endocardium",
                    "30",
                    "--set",
                    "left_ventricle.radius=3",
                ],
                [
                    "--set left_ventricle.radius",
                    "`left_ventricle`",
                    "slab",
                    "size",
                ],
            ),
        ] {
            let all = ["isochrone", "mesh", "generate"].iter().chain(line);
            let Command::Mesh(MeshCommand::Generate(args)) =
                Cli::try_parse_from(all).expect("a command line").command
            else {
                panic!("another command");
            };
            let said = args.validate().unwrap_err();
            assert_eq!(said.exit_code(), 2);
            let text = said.to_string();
            assert!(words.iter().all(|w| text.contains(w)), "{text}");
            assert!(!text.contains("--endocardium"), "{text}");
        }
    }

    #[test]
    fn every_kind_of_mesh_has_its_keys() {
        for kind in [
            GeneratorKind::Slab,
            GeneratorKind::Ellipsoid,
            GeneratorKind::Biventricle,
        ] {
            // Keys are right where the reader of the configuration takes or asks for each.
            let mut line = vec![kind.name(), "o.h5", "--edge", "1"];
            if kind.keys().contains(&"size") {
                line.extend(["--size", "3,3,3"]);
            }
            if kind.keys().contains(&"left_ventricle") {
                line.extend(["--set", "left_ventricle.radius=9"]);
            }
            if kind.keys().contains(&"right_ventricle") {
                line.extend(["--set", "right_ventricle.width=9"]);
            }
            line.extend(["--set", "fibre_angles.endocardium=30"]);
            generator(&line).unwrap();
        }
    }

    #[test]
    fn gradient_flags_are_keys() {
        let line = ["isochrone", "gradient", "--tensor", "--check"];
        let Command::Gradient(args) = Cli::try_parse_from(line).expect("a command line").command
        else {
            panic!("another command");
        };
        let gradient = load(&args.as_run().case.inputs()).unwrap().gradient;
        assert!(gradient.tensor && gradient.check && !gradient.jacobian);
    }
}
