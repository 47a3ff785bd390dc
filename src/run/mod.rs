//! One file per command; the only part that knows configuration, solvers and files together.

pub mod bridge;
mod config;
mod diff;
mod eikonal;
mod eikonal_ranks;
mod fk;
mod gather;
mod gradient;
mod history;
mod info;
mod invert;
pub mod job;
mod manual;
mod medium;
pub mod mesh;
mod mesh_fibres;
mod misfit;
mod model;
pub mod output;
mod parted;
pub mod plan;
pub mod plot;
mod reproduce;
mod result;
pub mod scaling;
mod signals;
mod sources;

use std::io::Write;
use std::path::Path;

use crate::cli::{Cli, Command};
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::progress::Console;

/// Runs the command. An error is the same on all ranks where it was agreed on.
pub fn run(cli: &Cli, comm: &dyn Communicator, console: Console) -> Result<()> {
    match &cli.command {
        Command::Config(command) => config::run(command, comm),
        Command::Info => info::run(comm),
        Command::Eikonal(args) => eikonal::run(args, comm, console),
        Command::Fk(args) => fk::run(args, comm, console),
        Command::Gradient(args) => gradient::run(args, comm, console),
        Command::Invert(args) => invert::run(args, comm, console),
        Command::Mesh(command) => mesh::run(command, comm),
        Command::Plot(args) => plot::run(args, comm),
        Command::Scaling(args) => scaling::run(args, comm),
        Command::Diff(args) => diff::run(args, comm),
        Command::Reproduce(args) => reproduce::run(args, &cli.log, comm, console),
        Command::Completions { shell } => manual::completions(*shell, comm),
        Command::Man { folder, overwrite } => manual::man(folder.as_deref(), *overwrite, comm),
    }
}

/// Prints `text` to standard output, on rank 0. Collective.
pub fn print_on_root(comm: &dyn Communicator, text: &str) -> Result<()> {
    let printed = if comm.rank() == 0 {
        print(text)
    } else {
        Ok(())
    };
    agree(comm, printed)
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader (`| head`) has what it wanted.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Error::io(Path::new("standard output"), "write", &e)),
        Ok(()) => Ok(()),
    }
}
