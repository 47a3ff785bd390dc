//! Options of `mesh generate`: keys of `mesh.generate` by another name.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::case::argument;
use super::values::{angle, key_and_value, lengths, positive};
use crate::config::Inputs;
use crate::error::{Error, Result};

/// A mesh to be generated; lengths in mm, angles in degrees.
#[derive(Debug, Clone, Args)]
pub struct GenerateArgs {
    #[arg(value_enum)]
    pub kind: GeneratorKind,
    /// Mesh to be written: .h5, .vtu, .vtkhdf, .msh, .msh2, .node or .pts
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Mean edge length
    #[arg(long, value_name = "MM", value_parser = positive, allow_negative_numbers = true)]
    pub edge: f64,
    /// Edge lengths of a slab
    #[arg(long, value_name = "X,Y,Z", value_parser = lengths, allow_negative_numbers = true)]
    pub size: Option<String>,
    /// Helix angle of the fibres on the endocardium [default: 60]
    #[arg(long, value_name = "DEG", value_parser = angle, allow_negative_numbers = true)]
    pub endocardium: Option<f64>,
    /// Helix angle of the fibres on the epicardium [default: -60]
    #[arg(long, value_name = "DEG", value_parser = angle, allow_negative_numbers = true)]
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
    /// [`Error::Usage`] with the option and the keys of the kind, [`Error::Config`] where `--set` names
    /// the key, as of all unknown keys.
    pub fn validate(&self) -> Result<()> {
        let keys = self.kind.keys();
        let remedy = format!("its keys are {}", keys.join(", "));
        let unknown = |key: &str| {
            format!(
                "mesh.generate has no `{key}` for kind `{}`",
                self.kind.name()
            )
        };
        if self.size.is_some() && !keys.contains(&"size") {
            let problem = format!("--size: {}", unknown("size"));
            return Err(Error::Usage { problem, remedy });
        }
        for (key, _) in &self.set {
            let first = key.split('.').next().unwrap_or_default();
            if !keys.contains(&first) {
                return Err(Error::Config {
                    origin: format!("--set {key}"),
                    key: format!("mesh.generate.{key}"),
                    problem: unknown(first),
                    remedy,
                });
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, MeshCommand};
    use crate::config::{MeshOrigin, load};
    use crate::mesh::generate::{FibreAngles, Generator};

    fn generator(arguments: &[&str]) -> Result<Generator> {
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
        for wrong in [
            ["1", "4,3"],
            ["1", "4,3,0"],
            ["-1", "4,3,2"],
            ["nan", "4,3,2"],
        ] {
            let [edge, size] = wrong;
            let line = ["isochrone", "mesh", "generate", "slab", "o.h5"];
            let options = ["--edge", edge, "--size", size];
            let said = Cli::try_parse_from(line.iter().chain(&options)).unwrap_err();
            let option = if edge == "1" { "--size" } else { "--edge" };
            assert_eq!(said.exit_code(), 2);
            assert!(said.to_string().contains(option), "{said}");
        }
        let said = generator(&["slab", "o.h5", "--edge", "1"]).unwrap_err();
        assert!(said.to_string().contains("size"), "{said}");
    }

    #[test]
    fn a_key_that_the_kind_of_mesh_does_not_have_is_named() {
        for (line, code, words) in [
            (
                &["biventricle", "o.h5", "--edge", "1", "--size", "3,3,3"][..],
                2,
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
                65,
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
            assert_eq!(said.exit_code(), code);
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
}
