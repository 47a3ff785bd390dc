//! Files of a folder that are told apart by a number: `PREFIX0003.h5`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Name of file `number`.
pub fn name(prefix: &str, number: u64) -> String {
    format!("{prefix}{number:04}.h5")
}

/// The complete files by ascending number.
///
/// # Errors
/// [`Error::Io`]; a folder that is not there has none.
pub fn list(folder: &Path, prefix: &str) -> Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = (name.strip_prefix(prefix))
            .and_then(|rest| rest.strip_suffix(".h5"))
            .and_then(|number| number.parse().ok());
        if let Some(number) = number {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}

/// Removes files that a killed run left incomplete.
pub fn remove_partials(folder: &Path, prefix: &str) -> Result<()> {
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(prefix) && name.ends_with(".h5.partial") {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io(path, "remove", &e)),
        _ => Ok(()),
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| Error::Io {
        path: folder.to_owned(),
        action: "list the folder".into(),
        cause: e.to_string(),
    };
    match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(failed(e)),
        Ok(entries) => entries
            .map(|entry| entry.map(|e| e.path()).map_err(failed))
            .collect(),
    }
}
