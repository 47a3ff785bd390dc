//! Options of the solvers: `fk`, `eikonal`, `gradient`.

use clap::Args;

use super::case::RunArgs;
use super::values::at_least_one;

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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};
    use crate::config::load;

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
