//! `isochrone completions` and `isochrone man`: what clap knows of the command line, for shells and
//! for `man`.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::MadeFolder;
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
/// `isochrone-invert.1`, … Pages that are there are brought up to date; other files of these names
/// are written over only where `overwrite` says so.
pub fn man(folder: Option<&Path>, overwrite: bool, comm: &dyn Communicator) -> Result<()> {
    match folder {
        None => {
            let text = page(Cli::command())?;
            print_on_root(comm, &String::from_utf8_lossy(&text))
        }
        Some(folder) => {
            let written = match comm.rank() {
                0 => write_all(folder, overwrite),
                _ => Ok(()),
            };
            agree(comm, written)
        }
    }
}

fn write_all(folder: &Path, overwrite: bool) -> Result<()> {
    let pages = pages()?;
    let others: Vec<PathBuf> = (pages.iter().map(|(name, _)| folder.join(name)))
        .filter(|path| path.exists() && !is_page(path))
        .collect();
    super::mesh::refuse_any_of(&others, overwrite)?;
    // Goes again where nothing can be written to it.
    let _made = MadeFolder::new(folder)?;
    for (name, text) in pages {
        write_atomic(&folder.join(name), text)?;
    }
    Ok(())
}

/// The pages of all commands by their file names.
fn pages() -> Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command();
    // Gives commands of commands their full names.
    command.build();
    let (mut pages, mut waiting) = (Vec::new(), vec![command]);
    while let Some(command) = waiting.pop() {
        let named = command
            .get_display_name()
            .unwrap_or_else(|| command.get_name());
        pages.push((format!("{named}.1"), page(command.clone())?));
        let inner = command.get_subcommands().filter(|c| c.get_name() != "help");
        waiting.extend(inner.cloned());
    }
    Ok(pages)
}

/// Whether a file is a manual page of this program, of whatever version.
fn is_page(path: &Path) -> bool {
    let text = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .take(10)
        .any(|line| line.starts_with(".TH isochrone"))
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut text);
    rendered.map_err(|e| Error::Bug(format!("manual page: {e}")))?;
    Ok(text)
}
