//! The folder of results: never written over unasked, files complete under their final name.

use std::path::{Path, PathBuf};

use crate::atomic_file::write_atomic;
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};

/// What to do with results that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Overwrite,
    Resume,
}

/// An output folder that may be written to.
#[derive(Debug, Clone)]
pub struct Output {
    folder: PathBuf,
}

impl Output {
    /// Makes `folder` ready and writes the resolved configuration into it, on rank 0. Collective.
    pub fn open(
        comm: &dyn Communicator,
        folder: &Path,
        existing: Existing,
        configuration: &str,
    ) -> Result<Self> {
        let output = Self {
            folder: folder.to_owned(),
        };
        let opened = if comm.rank() == 0 {
            output.prepare(existing, configuration)
        } else {
            Ok(())
        };
        agree(comm, opened)?;
        Ok(output)
    }

    fn prepare(&self, existing: Existing, configuration: &str) -> Result<()> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|e| Error::io(&self.folder, "create the folder", &e))?;
        if existing == Existing::Refuse && self.holds_results()? {
            return Err(Error::Usage {
                problem: format!("{} holds results", self.folder.display()),
                remedy: "choose another --output, or give --overwrite or --resume".into(),
            });
        }
        if existing == Existing::Overwrite {
            // The old report must not stand beside the results of a run that fails.
            let report = self.path("report.json");
            match std::fs::remove_file(&report) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&report, "remove", &e));
                }
                _ => {}
            }
        }
        self.write("config.toml", configuration.as_bytes())
    }

    fn holds_results(&self) -> Result<bool> {
        let failed = |e: std::io::Error| Error::io(&self.folder, "list", &e);
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            let result = name == "report.json"
                || name == "inversion_history.jsonl"
                || (name.ends_with(".h5") && !name.starts_with('.'));
            if result {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Path of the file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a whole file: beside, synced, renamed.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_atomic(&self.path(name), bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::solo::Solo;

    #[test]
    fn results_are_not_written_over_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/b");
        let open = |existing| Output::open(&Solo, &dir, existing, "x = 1\n");
        let output = open(Existing::Refuse).unwrap();
        assert_eq!(
            std::fs::read_to_string(output.path("config.toml")).unwrap(),
            "x = 1\n"
        );
        // A run that failed before its results leaves a folder that can be used again.
        assert!(open(Existing::Refuse).is_ok());
        output.write("report.json", b"{}").unwrap();
        assert_eq!(open(Existing::Refuse).unwrap_err().exit_code(), 2);
        assert!(open(Existing::Resume).is_ok());
        assert!(output.path("report.json").exists());
        assert!(open(Existing::Overwrite).is_ok());
        assert!(!output.path("report.json").exists());
        output.write("eikonal.h5", b"").unwrap();
        assert_eq!(open(Existing::Refuse).unwrap_err().exit_code(), 2);
        let left = std::fs::read_dir(&dir).unwrap().count();
        assert_eq!(left, 2, "no temporary file is left");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_io_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let inside = file.path().join("out");
        let error = Output::open(&Solo, &inside, Existing::Refuse, "").unwrap_err();
        assert_eq!(error.exit_code(), 74);
        let gone = Path::new("/proc/nowhere/out");
        let error = Output::open(&Solo, gone, Existing::Refuse, "").unwrap_err();
        assert_eq!(error.exit_code(), 74);
    }
}
