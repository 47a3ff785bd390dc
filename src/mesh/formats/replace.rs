//! Files that appear under their name only when complete: written beside, synced, renamed.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{Error, Result};

/// Lets `write` make a file beside `path`, syncs it and renames it to `path`.
///
/// Whatever fails, `path` keeps what it had and nothing is left beside it.
pub fn replace(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |action: &str, e: &std::io::Error| Error::io(path, action, e);
    let name = path.file_name().ok_or_else(|| Error::Usage {
        problem: format!("{}: not the name of a file", path.display()),
        remedy: "give the file a name".into(),
    })?;
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(".");
    let beside = tempfile::Builder::new()
        .prefix(&beside)
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(|e| failed("write", &e))?
        .into_temp_path();
    write(&beside)?;
    File::open(&beside)
        .and_then(|f| f.sync_all())
        .map_err(|e| failed("write", &e))?;
    give_usual_permissions(&beside).map_err(|e| failed("write", &e))?;
    beside
        .persist(path)
        .map_err(|e| failed("write", &e.error))?;
    // The rename itself is durable once the folder is synced; not every file system lets it.
    let _ = File::open(folder).and_then(|f| f.sync_all());
    Ok(())
}

/// Temporary files are private to their owner; a result is as readable as any new file.
fn give_usual_permissions(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let probe = path.with_extension("mode");
        let mode = File::create_new(&probe)?.metadata()?.permissions().mode();
        fs::remove_file(&probe)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        replace(&path, |p| {
            fs::write(p, "old").map_err(|e| Error::io(p, "write", &e))
        })
        .unwrap();
        let r = replace(&path, |p| {
            fs::write(p, "half").map_err(|e| Error::io(p, "write", &e))?;
            Err(Error::Bug("disk full".into()))
        });
        assert!(r.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
