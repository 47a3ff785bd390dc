//! The folder of results: never written over unasked, files complete under their final name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::HISTORY;
use crate::atomic_file::{Partial, write_atomic};
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
    existing: Existing,
    /// Goes with the last copy.
    made: Option<Arc<MadeFolder>>,
}

/// A folder that was made, with those above it; what of them is empty when this is dropped goes, so
/// that a run that fails leaves no empty folder.
#[derive(Debug)]
pub struct MadeFolder {
    /// Those that were not there, the innermost first.
    made: Vec<PathBuf>,
}

impl MadeFolder {
    /// Makes `folder` where it is not there.
    ///
    /// # Errors
    /// [`Error::Io`] with the path.
    pub fn new(folder: &Path) -> Result<Self> {
        let missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made = Self {
            made: (folder.ancestors().take_while(missing))
                .map(Path::to_owned)
                .collect(),
        };
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "create the folder", &e))?;
        Ok(made)
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        // Only an empty folder can be removed so.
        for folder in &self.made {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// All that commands leave in their folders, apart from `config.toml`; a star stands for a number.
const RESULTS: [&str; 25] = [
    "report.json",
    "eikonal.h5",
    "eikonal.xdmf",
    "gradient.h5",
    "gradient.xdmf",
    "inversion.h5",
    "inversion.xdmf",
    HISTORY,
    CHECKPOINT,
    "fk.h5",
    "fk.xdmf",
    "activation.h5",
    "activation.xdmf",
    "eikonal.vtkhdf",
    "gradient.vtkhdf",
    "inversion.vtkhdf",
    "fk.vtkhdf",
    "activation.vtkhdf",
    "eikonal.dat",
    "gradient.dat",
    "inversion.dat",
    "activation.dat",
    FK_CHECKPOINTS,
    FK_SEGMENTS,
    FK_PROTOCOL,
];

/// What a simulation resumes from.
pub const FK_CHECKPOINTS: &str = "fk_checkpoint-*.h5";

/// What an S1–S2 protocol resumes from.
pub const FK_PROTOCOL: &str = "fk_restitution_checkpoint.json";

/// What a simulation with checkpoints has recorded so far.
const FK_SEGMENTS: &str = "fk_recording-*.h5";

/// What an inversion resumes from.
pub const CHECKPOINT: &str = "inversion_checkpoint.json";

/// Whether a run may write to `folder`; changes nothing there. `checkpoint` is the file from which
/// the command can resume, one of [`CHECKPOINT`], [`FK_CHECKPOINTS`]
/// and [`FK_PROTOCOL`].
///
/// # Errors
/// [`Error::Usage`]: it holds results that were not asked to be written over, or nothing to resume.
pub fn check(folder: &Path, existing: Existing, checkpoint: Option<&str>) -> Result<()> {
    let is_there = |name: &str| !named(folder, name).is_empty();
    let results = || RESULTS.into_iter().filter(|name| is_there(name));
    match existing {
        Existing::Overwrite => Ok(()),
        Existing::Refuse if results().next().is_some() => Err(Error::Usage {
            problem: format!("{} holds results", folder.display()),
            remedy: match checkpoint {
                Some(_) => "choose another --output, or give --overwrite or --resume",
                None => "choose another --output, or give --overwrite",
            }
            .into(),
        }),
        Existing::Refuse => Ok(()),
        Existing::Resume => {
            let kept = checkpoint.is_some_and(is_there);
            // A run that ended before its first checkpoint leaves an empty history, or what it
            // recorded before.
            let begun = |name: &&str| checkpoint.is_some() && [HISTORY, FK_SEGMENTS].contains(name);
            if kept || results().all(|name| begun(&name)) {
                return Ok(());
            }
            Err(Error::Usage {
                problem: format!("{} holds results, but nothing to resume", folder.display()),
                remedy: "choose another --output, or give --overwrite".into(),
            })
        }
    }
}

/// Files of `folder` with a name of [`RESULTS`].
fn named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let Some((before, after)) = name.split_once('*') else {
        let path = folder.join(name);
        return if path.exists() { vec![path] } else { vec![] };
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let matching = entries.filter(|entry| {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(before));
        rest.and_then(|rest| rest.strip_suffix(after))
            .is_some_and(is_number)
    });
    matching.map(|entry| entry.path()).collect()
}

impl Output {
    /// Makes `folder` and finds out, on rank 0, whether it may be written to; what is there stays
    /// as it is until [`begin`](Self::begin). Collective.
    pub fn open(
        comm: &dyn Communicator,
        folder: &Path,
        existing: Existing,
        checkpoint: Option<&str>,
    ) -> Result<Self> {
        let mut output = Self {
            folder: folder.to_owned(),
            existing,
            made: None,
        };
        let opened = if comm.rank() == 0 {
            check(folder, existing, checkpoint).and_then(|()| output.prepare())
        } else {
            Ok(())
        };
        agree(comm, opened)?;
        Ok(output)
    }

    fn prepare(&mut self) -> Result<()> {
        self.made = Some(Arc::new(MadeFolder::new(&self.folder)?));
        // Dropped unfinished, it leaves nothing.
        Partial::create(&self.path("config.toml")).map(|_| ())
    }

    /// Writes the resolved configuration, on rank 0, once all input is accepted; where old results
    /// are to be written over, removes them before, so that none stands beside those of another
    /// run. Results among the `inputs` stay. Collective.
    pub fn begin(
        &self,
        comm: &dyn Communicator,
        configuration: &str,
        inputs: &[PathBuf],
    ) -> Result<()> {
        let begun = if comm.rank() != 0 {
            Ok(())
        } else if self.existing == Existing::Overwrite {
            self.remove_results(inputs)
                .and_then(|()| self.write("config.toml", configuration.as_bytes()))
        } else {
            self.write("config.toml", configuration.as_bytes())
        };
        agree(comm, begun)
    }

    fn remove_results(&self, inputs: &[PathBuf]) -> Result<()> {
        let inputs: Vec<PathBuf> = inputs
            .iter()
            .filter_map(|p| p.canonicalize().ok())
            .collect();
        // What stands beside an HDF5 file belongs to it.
        let is_input = |path: &Path| {
            let data = path.with_extension("h5").canonicalize();
            [path.canonicalize(), data]
                .into_iter()
                .flatten()
                .any(|path| inputs.contains(&path))
        };
        let results = RESULTS.iter().flat_map(|name| named(&self.folder, name));
        for path in results {
            if is_input(&path) {
                continue;
            }
            match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&path, "remove", &e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a whole file: beside, synced, renamed.
    ///
    /// # Errors
    /// [`Error::Io`].
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
        let open = |existing| Output::open(&Solo, &dir, existing, None);
        let output = open(Existing::Refuse).unwrap();
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        output.begin(&Solo, "x = 1\n", &[]).unwrap();
        let configuration = || std::fs::read_to_string(output.path("config.toml")).unwrap();
        assert_eq!(configuration(), "x = 1\n");
        // A run that failed before its results leaves a folder that can be used again.
        assert!(open(Existing::Refuse).is_ok());
        output.write("report.json", b"{}").unwrap();
        assert_eq!(open(Existing::Refuse).unwrap_err().exit_code(), 2);
        let over = open(Existing::Overwrite).unwrap();
        // Until all input is accepted, nothing changes.
        assert!(output.path("report.json").exists());
        assert_eq!(configuration(), "x = 1\n");
        over.begin(&Solo, "x = 2\n", &[]).unwrap();
        assert!(!output.path("report.json").exists());
        assert_eq!(configuration(), "x = 2\n");
        output.write("eikonal.h5", b"").unwrap();
        assert_eq!(open(Existing::Refuse).unwrap_err().exit_code(), 2);
        let left = std::fs::read_dir(&dir).unwrap().count();
        assert_eq!(left, 2, "no temporary file is left");
    }

    #[test]
    fn a_run_that_writes_nothing_leaves_no_empty_folder() {
        let folder = tempfile::tempdir().unwrap();
        let above = folder.path().join("a");
        let open = || Output::open(&Solo, &above.join("b"), Existing::Refuse, None).unwrap();
        let output = open();
        let copy = output.clone();
        drop(output);
        assert!(above.join("b").exists(), "a copy still uses it");
        drop(copy);
        assert!(!above.exists());
        // What was there before, and what was written, stays.
        std::fs::create_dir(&above).unwrap();
        drop(open());
        assert!(above.exists() && !above.join("b").exists());
        open().write("report.json", b"{}").unwrap();
        assert!(above.join("b/report.json").exists());
    }

    #[test]
    fn overwriting_removes_results_of_all_commands_but_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let output = Output::open(&Solo, dir, Existing::Overwrite, None).unwrap();
        for name in RESULTS.into_iter().chain(["mine.h5", "notes.txt"]) {
            output.write(&name.replace('*', "0012"), b"").unwrap();
        }
        output.write("fk_checkpoint-mine.h5", b"").unwrap();
        // The same file by another name.
        let input = dir.join(".").join("inversion.h5");
        output.begin(&Solo, "", &[input]).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let expected = [
            "config.toml",
            "fk_checkpoint-mine.h5",
            "inversion.dat",
            "inversion.h5",
            "inversion.vtkhdf",
            "inversion.xdmf",
            "mine.h5",
            "notes.txt",
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn resuming_is_not_overwriting() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let code = |checkpoint| {
            check(dir, Existing::Resume, checkpoint).map_or_else(|e| e.exit_code(), |()| 0)
        };
        let put = |name: &str| std::fs::write(dir.join(name), "").unwrap();
        assert_eq!([code(None), code(Some(CHECKPOINT))], [0, 0], "empty");
        put(HISTORY);
        assert_eq!([code(None), code(Some(CHECKPOINT))], [2, 0], "begun");
        put("eikonal.h5");
        assert_eq!([code(None), code(Some(CHECKPOINT))], [2, 2], "another's");
        put(CHECKPOINT);
        assert_eq!([code(None), code(Some(CHECKPOINT))], [2, 0], "its own");
    }

    #[test]
    fn a_simulation_resumes_from_a_numbered_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let code = |existing| {
            check(dir, existing, Some(FK_CHECKPOINTS)).map_or_else(|e| e.exit_code(), |()| 0)
        };
        let put = |name: &str| std::fs::write(dir.join(name), "").unwrap();
        let codes = || [code(Existing::Refuse), code(Existing::Resume)];
        put("fk_recording-0001.h5.partial");
        put("fk_checkpoint-0100.h5.partial");
        assert_eq!(codes(), [0, 0], "killed before the first checkpoint");
        put("fk_recording-0001.h5");
        assert_eq!(codes(), [2, 0], "killed while the first was written");
        put("fk.h5");
        assert_eq!(codes(), [2, 2], "complete, without checkpoints");
        put("fk_checkpoint-0100.h5");
        assert_eq!(codes(), [2, 0], "its own");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_io_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let inside = file.path().join("out");
        let error = Output::open(&Solo, &inside, Existing::Refuse, None).unwrap_err();
        assert_eq!(error.exit_code(), 74);
        let gone = Path::new("/proc/nowhere/out");
        let error = Output::open(&Solo, gone, Existing::Refuse, None).unwrap_err();
        assert_eq!(error.exit_code(), 74);
    }
}
