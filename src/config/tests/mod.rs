//! The configuration.

mod cases;
mod fk;
mod fk_contradictions;
mod fk_mistakes;
mod keys;
mod layers;
mod mistakes;

use std::path::PathBuf;

use super::*;
use crate::comm::threads;
use crate::eikonal::options::Precision;
use crate::inversion::options::{GammaInput, NamedVertices, Optimizer, Where};
use crate::mesh::generate::Generator;
use cases::{CABLE, CASE, FK, FULL, HEART};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn inputs(files: &[PathBuf], sets: &[(&str, &str)]) -> Inputs {
    Inputs {
        files: files.to_vec(),
        environment: Vec::new(),
        arguments: sets
            .iter()
            .map(|(key, value)| Argument {
                option: "--set".into(),
                key: (*key).into(),
                value: (*value).into(),
            })
            .collect(),
    }
}

fn load_text(text: &str, sets: &[(&str, &str)]) -> Result<Case> {
    let folder = Folder::new();
    let file = folder.file("case.toml", text);
    load(&inputs(&[file], sets))
}

fn message(text: &str, sets: &[(&str, &str)]) -> String {
    let error = load_text(text, sets).unwrap_err();
    assert_eq!(error.exit_code(), 65, "{error}");
    error.to_string()
}

/// [`FK`] with the line of a key written anew.
fn rewritten(key: &str, value: &str) -> String {
    let start = format!("{key} = ");
    assert_eq!(
        FK.lines().filter(|line| line.starts_with(&start)).count(),
        1,
        "{key}"
    );
    let lines = FK.lines().map(|line| match line.starts_with(&start) {
        true => format!("{start}{value}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

/// The case of [`FK`] with these `--set`s, complete.
fn complete(sets: &[(&str, &str)]) -> Result<Case> {
    let case = load_text(FK, sets)?;
    case.fk()?;
    Ok(case)
}
