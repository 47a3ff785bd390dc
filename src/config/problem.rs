//! What a case computes, as far as it tells runs apart that are to be compared.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Case;
use crate::error::{Error, Result};
use crate::sha256;

/// Checksums of what is computed, whatever it is computed on. A case that grows, for weak scaling,
/// keeps its settings and changes its size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Of the sections of the command without mesh and grid.
    pub settings: String,
    /// Of mesh and grid, and of the content of all input files.
    pub size: String,
}

/// Characters of a checksum.
const DIGITS: usize = 12;

impl Case {
    /// The problem of a command with these `sections` and input files of these SHA-256. On the rank
    /// that loaded the case.
    pub fn problem(&self, sections: &[&str], inputs: &[String]) -> Result<Problem> {
        let bug = |e: toml::de::Error| Error::Bug(format!("resolved configuration: {e}"));
        let mut all: toml::Table = toml::from_str(self.to_toml()).map_err(bug)?;
        // Files count by their content.
        let files: Vec<&PathBuf> = self.files.iter().map(|file| &file.path).collect();
        let is_path = |text: &str| files.iter().any(|path| path.to_string_lossy() == text);
        for (_, value) in all.iter_mut() {
            forget(value, &is_path);
        }
        let mut size = toml::Table::new();
        let fk = all.get_mut("fk").and_then(toml::Value::as_table_mut);
        let grid = fk.and_then(|fk| fk.remove("grid"));
        for (name, value) in [("mesh", all.remove("mesh")), ("grid", grid)] {
            size.extend(value.map(|value| (name.to_owned(), value)));
        }
        all.retain(|name, _| sections.contains(&name));
        let sum = |text: String| sha256::of_bytes(text.as_bytes())[..DIGITS].to_owned();
        let mut inputs = inputs.to_vec();
        inputs.sort_unstable();
        Ok(Problem {
            settings: sum(all.to_string()),
            size: sum(size.to_string() + &inputs.concat()),
        })
    }
}

/// Empties the texts that `is_path` is true of.
fn forget(value: &mut toml::Value, is_path: &impl Fn(&str) -> bool) {
    match value {
        toml::Value::String(text) if is_path(text) => text.clear(),
        toml::Value::Array(items) => items.iter_mut().for_each(|item| forget(item, is_path)),
        toml::Value::Table(entries) => {
            let values = entries.iter_mut().map(|(_, item)| item);
            values.for_each(|item| forget(item, is_path));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Argument, Inputs, load};
    use super::*;

    fn problem(more: &[(&str, &str)]) -> Problem {
        let mut arguments = vec![
            (
                "mesh.generate",
                "{ kind = \"slab\", edge = 1, size = [3, 3, 3] }",
            ),
            ("conduction.speed", "0.6"),
            ("source.0.vertices", "[0]"),
        ];
        arguments.extend(more);
        let argument = |(key, value): (&str, &str)| Argument {
            option: "--set".into(),
            key: key.into(),
            value: value.into(),
        };
        let inputs = Inputs {
            arguments: arguments.into_iter().map(argument).collect(),
            ..Inputs::default()
        };
        let sections = ["mesh", "conduction", "source", "eikonal"];
        load(&inputs).unwrap().problem(&sections, &[]).unwrap()
    }

    #[test]
    fn a_case_that_grows_keeps_its_settings() {
        let base = problem(&[]);
        assert_eq!(base.settings.len(), DIGITS);
        // How it is computed, and what the command does not use, makes no other problem.
        let same = [("run.threads", "3"), ("inversion.stop.iterations", "2")];
        assert_eq!(problem(&same), base);
        let larger = problem(&[("mesh.generate.edge", "0.5")]);
        assert_eq!(larger.settings, base.settings);
        assert_ne!(larger.size, base.size);
        let faster = problem(&[("conduction.speed", "0.7")]);
        assert_ne!(faster.settings, base.settings);
        assert_eq!(faster.size, base.size);
    }
}
