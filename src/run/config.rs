//! `isochrone config`: show, check, doc.

use super::print_on_root;
use crate::cli::ConfigCommand;
use crate::comm::{Communicator, agree};
use crate::config::{documentation, merge};
use crate::error::Result;

/// Runs on rank 0.
pub fn run(command: &ConfigCommand, comm: &dyn Communicator) -> Result<()> {
    let text = if comm.rank() == 0 {
        text(command)
    } else {
        Ok(String::new())
    };
    print_on_root(comm, &agree(comm, text)?)
}

fn text(command: &ConfigCommand) -> Result<String> {
    match command {
        ConfigCommand::Show(args) => Ok(merge(&args.inputs())?.show()),
        ConfigCommand::Check(args) => {
            let merged = merge(&args.inputs())?;
            let case = merged.case()?;
            if case.simulates() {
                case.fk()?;
            } else {
                case.mesh()?;
                case.sources()?;
            }
            case.check_all_files()?;
            let of_fk = case.simulates().then(|| case.fk_warnings());
            for warning in of_fk.into_iter().flatten().chain(case.inversion_warnings()) {
                tracing::warn!("{warning}");
            }
            Ok("ok\n".into())
        }
        ConfigCommand::Doc => Ok(documentation()),
    }
}
