//! Files that appear under their name only when complete: written beside, synced, renamed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes `bytes` to `path`; whatever fails, `path` keeps what it had.
///
/// # Errors
/// [`Error::Io`] with the path: no folder, no permission, disk full.
pub fn write_atomic(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    write_beside(path, bytes.as_ref())?.complete()
}

/// Writes `bytes` beside `path`, to be completed.
///
/// # Errors
/// As of [`write_atomic`].
pub fn write_beside(path: &Path, bytes: &[u8]) -> Result<Partial> {
    let (partial, mut file) = Partial::create(path)?;
    file.write_all(bytes)
        .map_err(|e| Error::io(path, "write", &e))?;
    Ok(partial)
}

/// Lets `write` fill the empty file that it is given the name of, which becomes `path` if that
/// went well; whatever fails, `path` keeps what it had and nothing is left beside it.
///
/// # Errors
/// Those of `write`, and as of [`write_atomic`].
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (partial, _) = Partial::create(path)?;
    write(partial.beside())?;
    partial.complete()
}

/// `NAME.partial` beside NAME, in the same folder since only there a rename is atomic; removed when
/// dropped before [`Partial::complete`].
pub struct Partial {
    path: PathBuf,
    beside: PathBuf,
    completed: bool,
}

impl Partial {
    /// Creates the empty file beside `path`, with the permissions of any new file; one that a
    /// killed run left is overwritten.
    ///
    /// # Errors
    /// [`Error::Io`] with the path: no folder, no permission, a folder of that name.
    pub fn create(path: &Path) -> Result<(Self, File)> {
        if path.is_dir() || path.file_name().is_none() {
            return Err(Error::Io {
                path: path.to_owned(),
                action: "write".into(),
                cause: "it is a folder".into(),
            });
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".partial");
        let beside = PathBuf::from(beside);
        let file = File::create(&beside).map_err(|e| Error::io(path, "write", &e))?;
        let partial = Self {
            path: path.to_owned(),
            beside,
            completed: false,
        };
        Ok((partial, file))
    }

    /// The final name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name while incomplete.
    pub fn beside(&self) -> &Path {
        &self.beside
    }

    /// Changes the final name to another one of the same folder.
    pub fn rename(&mut self, path: &Path) {
        self.path = path.to_owned();
    }

    /// Waits until the content is on the disk and gives it its name.
    ///
    /// # Errors
    /// [`Error::Io`] with the path: what was written did not reach the disk.
    pub fn complete(mut self) -> Result<()> {
        File::open(&self.beside)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.beside, &self.path))
            .map_err(|e| Error::io(&self.path, "write", &e))?;
        self.completed = true;
        // The name lasts once the folder is synced; not every file system can.
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.completed {
            // Emptied too: a child process may have inherited HDF5's handle and keep the space.
            let _ = File::create(&self.beside);
            let _ = fs::remove_file(&self.beside);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_old_file_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write_atomic(&path, "{\"old\": 1}").unwrap();
        write_atomic(&path, "{}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_unfinished_file_goes_and_the_old_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        write_atomic(&path, "old").unwrap();
        let (partial, mut file) = Partial::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        assert!(folder.path().join("a.h5.partial").exists());
        drop(partial);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let put = |text: &str, result: Result<()>| {
            replace(&path, |beside| {
                fs::write(beside, text).unwrap();
                result
            })
        };
        put("old", Ok(())).unwrap();
        assert!(put("half", Err(Error::Bug("disk full".into()))).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            let metadata = fs::metadata(folder.path().join(name)).unwrap();
            metadata.permissions().mode()
        };
        fs::write(folder.path().join("usual"), "").unwrap();
        write_atomic(&folder.path().join("ours"), "").unwrap();
        assert_eq!(mode("ours"), mode("usual"));
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("no/such/a"), folder.path().to_owned()] {
            let e = write_atomic(&path, "x").unwrap_err();
            assert_eq!(e.exit_code(), 74);
            assert!(e.to_string().contains(&path.display().to_string()));
        }
    }
}
