//! SHA-256 of input files, for the provenance of results.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// SHA-256 of a file's content in hexadecimal (FIPS 180-4), read a megabyte at a time.
pub fn sha256(path: &Path) -> Result<String> {
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
    let hex = |byte: &u8| format!("{byte:02x}");
    Ok(digest.finalize().iter().map(hex).collect())
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
        assert_eq!(
            sha256(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        std::fs::write(&path, vec![b'a'; 1_000_000]).unwrap();
        assert_eq!(
            sha256(&path).unwrap(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
        std::fs::write(&path, vec![0; (3 << 20) + 17]).unwrap();
        let system = std::process::Command::new("sha256sum").arg(&path).output();
        let system = String::from_utf8(system.unwrap().stdout).unwrap();
        assert!(system.starts_with(&sha256(&path).unwrap()));
        assert_eq!(
            sha256(&folder.path().join("none")).unwrap_err().exit_code(),
            66
        );
    }
}
