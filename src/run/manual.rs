//! `isochrone completions` and `isochrone man`: what clap knows of the command line, for shells and
//! for `man`.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::print_on_root;
use crate::atomic_file::write_atomic;
use crate::cli::Cli;
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};

/// Prints the completions of a shell.
pub fn completions(shell: Shell, comm: &dyn Communicator) -> Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "isochrone", &mut text);
    print_on_root(comm, &String::from_utf8_lossy(&text))
}

/// Prints the manual page, or writes those of all commands to `folder`: `isochrone.1`,
/// `isochrone-invert.1`, …
pub fn man(folder: Option<&Path>, comm: &dyn Communicator) -> Result<()> {
    match folder {
        None => {
            let text = page(Cli::command())?;
            print_on_root(comm, &String::from_utf8_lossy(&text))
        }
        Some(folder) => {
            let written = match comm.rank() {
                0 => write_all(folder),
                _ => Ok(()),
            };
            agree(comm, written)
        }
    }
}

fn write_all(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "create the folder", &e))?;
    let mut command = Cli::command();
    // Gives commands of commands their full names.
    command.build();
    let mut waiting = vec![command];
    while let Some(command) = waiting.pop() {
        let named = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{named}.1"));
        write_atomic(&path, &page(command.clone())?)?;
        let inner = command.get_subcommands().filter(|c| c.get_name() != "help");
        waiting.extend(inner.cloned());
    }
    Ok(())
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut text);
    rendered.map_err(|e| Error::Bug(format!("manual page: {e}")))?;
    Ok(text)
}
