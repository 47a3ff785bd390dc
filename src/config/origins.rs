//! Where each value of a case came from, for messages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::layers::{Assignment, Origin};
use super::schema::below;
use crate::error::Error;

/// In place of an origin, for what is missing.
const NOT_GIVEN: &str = "no value given";

/// Where each value came from, by dotted key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Origins(BTreeMap<String, Source>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Source {
    /// As it is shown.
    origin: String,
    layer: Layer,
    /// The value is that of the defaults, whoever gives it.
    usual: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Layer {
    Default,
    File,
    /// Environment or command line.
    Word,
}

impl Origins {
    pub(super) fn new(assignments: &[Assignment], defaults: &[Assignment]) -> Self {
        let literal = |a: &Assignment| (a.key(), a.value.literal());
        let defaults: BTreeMap<String, String> = defaults.iter().map(literal).collect();
        let source = |a: &Assignment| {
            let (key, literal) = literal(a);
            let source = Source {
                origin: a.origin.to_string(),
                layer: match a.origin {
                    Origin::Default => Layer::Default,
                    Origin::File { .. } => Layer::File,
                    Origin::Environment(_) | Origin::Argument(_) => Layer::Word,
                },
                usual: defaults.get(&key) == Some(&literal),
            };
            (key, source)
        };
        Self(assignments.iter().map(source).collect())
    }

    /// Origin of `key`: of the value itself, of one below it, or of the table around it.
    pub fn of(&self, key: &str) -> &str {
        self.source(key)
            .map_or(NOT_GIVEN, |source| source.origin.as_str())
    }

    fn source(&self, key: &str) -> Option<&Source> {
        let mut here = self.at_or_below(key);
        match self.0.get(key).or_else(|| here.next()) {
            Some(source) => Some(source),
            None => self.source(key.rsplit_once('.')?.0),
        }
    }

    fn at_or_below(&self, key: &str) -> impl Iterator<Item = &Source> {
        let here = (self.0.iter()).filter(move |(k, _)| *k == key || below(k, key).is_some());
        here.map(|(_, source)| source)
    }

    /// Whether a file gives `key`, so that a relative path in it starts at that file's folder.
    pub fn in_file(&self, key: &str) -> bool {
        self.source(key)
            .is_some_and(|source| source.layer == Layer::File)
    }

    /// Whether a layer over the defaults says anything at or below `key`.
    pub fn given(&self, key: &str) -> bool {
        self.at_or_below(key)
            .any(|source| source.layer != Layer::Default)
    }

    /// Whether one says something else than the defaults do, which the `config.toml` of every run
    /// holds.
    pub fn changed(&self, key: &str) -> bool {
        self.at_or_below(key)
            .any(|source| source.layer != Layer::Default && !source.usual)
    }

    /// All keys with a value.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The error that `key`, which is not given, is needed.
    pub fn missing(
        &self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Error {
        Error::Config {
            origin: NOT_GIVEN.into(),
            key: key.to_string(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The error that `key` has `problem`, mended by `remedy`.
    pub fn error(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Config {
            origin: self.of(key).to_string(),
            key: key.to_string(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// A line on `key`: where it comes from, its name, and `what` becomes of it.
    pub fn line(&self, key: &str, what: &str) -> String {
        format!("{}: {key}: {what}", self.of(key))
    }
}
