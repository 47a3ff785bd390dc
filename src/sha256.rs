//! SHA-256 of input files and of text (FIPS 180-4), in hexadecimal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// SHA-256 of bytes in memory.
pub fn of_bytes(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// SHA-256 of a file's content, read a megabyte at a time.
///
/// # Errors
/// [`Error::MissingInput`] where there is no file, [`Error::Io`] where it cannot be read.
pub fn of_file(path: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::io(path, "read", &e);
    let mut file = File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => digest.update(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(hexadecimal(digest))
}

fn hexadecimal(digest: Sha256) -> String {
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // FIPS 180-4 examples: "abc", and a million times "a".
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(of_bytes(b"abc"), of_file(&path).unwrap());
        assert_eq!(
            of_file(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(
            of_file(&path).unwrap(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        std::fs::write(&path, vec![0; (3 << 20) + 17]).unwrap();
        let system = std::process::Command::new("sha256sum").arg(&path).output();
        let system = String::from_utf8(system.unwrap().stdout).unwrap();
        assert!(system.starts_with(&of_file(&path).unwrap()));
        assert_eq!(
            of_file(&folder.path().join("none"))
                .unwrap_err()
                .exit_code(),
            66
        );
    }
}
