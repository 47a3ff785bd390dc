//! Folders of results: what is in them, and what other programs say of them.
#![allow(dead_code)]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// Names in a folder, sorted; none where there is no folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn python(arguments: &[&OsStr]) -> std::io::Result<Output> {
    Command::new("python3").args(arguments).output()
}

/// Whether Python can import `modules`; says so where not.
pub fn python_has(modules: &str) -> bool {
    let import = format!("import {modules}");
    let found = python(&["-c".as_ref(), import.as_ref()]).is_ok_and(|o| o.status.success());
    if !found {
        eprintln!("SKIPPED: no python3 with {modules}");
    }
    found
}

/// Exit code and words of Python.
pub fn run_python(arguments: &[&OsStr]) -> (Option<i32>, String) {
    let output = python(arguments).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), text + &errors)
}

/// Exit code and words of `scripts/check_results.py`, which reads with h5py and VTK.
pub fn check_results(folder: &Path) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_results.py");
    run_python(&[script.as_ref(), folder.as_ref()])
}
