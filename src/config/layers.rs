//! Layers: defaults < files < environment < command line, each a list of assignments.
//!
//! Every assignment is checked against the schema as it is read, so that an error names the file
//! and the line; the merged assignments are given to figment, which makes the typed case.

use std::path::{Path, PathBuf};

use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};

use super::reader::Reader;
use super::schema::{Alternatives, Schema, below};
use super::value::{Value, parse, parse_argument};
use crate::error::{Error, Result};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// An option of the command line: `--set`, `--threads`.
    Argument(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => write!(f, "default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => write!(f, "{name}"),
            Origin::Argument(option) => write!(f, "{option}"),
        }
    }
}

/// One value at one path, `["source", "0", "time"]`.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub path: Vec<String>,
    /// The key of the schema, `source.#.time`.
    pub(super) pattern: String,
    pub value: Value,
    pub origin: Origin,
    pub(super) layer: usize,
}

impl Assignment {
    /// The dotted path, `source.0.time`.
    pub fn key(&self) -> String {
        self.path.join(".")
    }
}

impl Provider for Assignment {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.to_string())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let nested = figment::util::nest(&self.key(), self.value.to_figment());
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// The layers read so far, merged.
pub struct Layers<'s> {
    schema: &'s Schema,
    merged: Vec<Assignment>,
    layer: usize,
}

impl<'s> Layers<'s> {
    /// The built-in defaults.
    pub fn defaults(schema: &'s Schema) -> Result<Self> {
        let mut layers = Self {
            schema,
            merged: Vec::new(),
            layer: 0,
        };
        for section in schema.sections {
            let value = parse(&(section.defaults)()).map_err(|e| {
                Error::Bug(format!("defaults of [{}]: {}", section.name, e.problem))
            })?;
            if value != Value::Table(Vec::new()) {
                let at = section.name.split('.').map(str::to_string).collect();
                layers.add(at, &value, &|_| Origin::Default, Path::new(""))?;
            }
        }
        Ok(layers)
    }

    /// What the layers say so far.
    pub fn merged(&self) -> &[Assignment] {
        &self.merged
    }

    /// Adds a configuration file; relative paths in it start at its folder.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::MissingInput {
                path: path.to_owned(),
                what: "configuration file".into(),
                remedy: Error::check_path(path).into(),
            },
            std::io::ErrorKind::InvalidData => {
                Error::bad_file(path, "content", "is not text", "give a TOML file in UTF-8")
            }
            _ => Error::io(path, "read the configuration", &e),
        })?;
        let value = parse(&text).map_err(|e| {
            let remedy = "see https://toml.io for the syntax, or `isochrone config doc` for keys";
            Error::bad_file(path, format!("line {}", e.line), e.problem, remedy)
        })?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let base = absolute.parent().unwrap_or(Path::new("/"));
        let origin = |line| Origin::File {
            path: path.to_owned(),
            line,
        };
        if value == Value::Table(Vec::new()) {
            return Ok(());
        }
        self.add(Vec::new(), &value, &origin, base)
    }

    /// Adds an environment variable `ISOCHRONE_SECTION__KEY`; others are none of our business.
    pub fn add_variable(&mut self, name: &str, text: &str, cwd: &Path) -> Result<()> {
        let Some(key) = name.strip_prefix("ISOCHRONE_") else {
            return Ok(());
        };
        let key = key.to_ascii_lowercase();
        let section = self.schema.tables().contains(&key.as_str());
        if !section && !key.contains("__") {
            let sections = self.schema.sections.iter();
            let meant = sections.rev().find_map(|s| {
                let rest = key.strip_prefix(s.name)?.strip_prefix('_')?;
                Some(format!("ISOCHRONE_{}__{}", s.name, rest).to_ascii_uppercase())
            });
            return match meant {
                Some(meant) => Err(Error::Config {
                    origin: "environment".into(),
                    key: name.into(),
                    problem: "one underscore after the section sets nothing".into(),
                    remedy: format!("write {meant}"),
                }),
                None => Ok(()),
            };
        }
        let path = key.split("__").map(str::to_string).collect();
        let origin = |_| Origin::Environment(name.to_string());
        self.add(path, &parse_argument(text), &origin, cwd)
    }

    /// Adds `key = text` from the command line's `option`.
    pub fn add_argument(&mut self, option: &str, key: &str, text: &str, cwd: &Path) -> Result<()> {
        let path = key.split('.').map(|name| name.trim().to_string()).collect();
        let origin = |_| Origin::Argument(option.to_string());
        self.add(path, &parse_argument(text), &origin, cwd)
    }

    fn add(
        &mut self,
        mut path: Vec<String>,
        value: &Value,
        origin: &dyn Fn(usize) -> Origin,
        base: &Path,
    ) -> Result<()> {
        self.layer += 1;
        let mut reader = Reader {
            schema: self.schema,
            origin,
            base,
            layer: self.layer,
            read: Vec::new(),
        };
        reader.read(&mut path, value, 0)?;
        for assignment in reader.read {
            self.push(assignment);
        }
        Ok(())
    }

    /// Adds an assignment and drops what it displaces.
    fn push(&mut self, new: Assignment) {
        if new.value == Value::Table(Vec::new()) {
            // An empty table says that it is there; it takes nothing away.
            if !self
                .merged
                .iter()
                .any(|old| old.path.starts_with(&new.path))
            {
                self.merged.push(new);
            }
            return;
        }
        let schema = self.schema;
        self.merged.retain(|old| {
            let same_branch = new.path.starts_with(&old.path) || old.path.starts_with(&new.path);
            let displaced = old.layer < new.layer
                && rivals(schema, (&old.path, &old.pattern), (&new.path, &new.pattern));
            !same_branch && !displaced
        });
        self.merged.push(new);
    }

    /// The merged assignments, in the order of the schema, once they fit together.
    pub fn finish(self) -> Result<Vec<Assignment>> {
        self.check_lists()?;
        self.check_alternatives()?;
        self.check_required()?;
        let order: Vec<String> = self.schema.keys().map(|(full, _)| full).collect();
        let mut merged = self.merged;
        let sections = self.schema.tables();
        merged.sort_by_cached_key(|a| {
            let full = &a.pattern;
            let place = order
                .iter()
                .position(|k| k == full || below(k, full).is_some());
            let numbers: Vec<usize> = a.path.iter().filter_map(|n| n.parse().ok()).collect();
            let section = sections.iter().position(|name| *name == a.path[0]);
            // Lists come after the other keys of their table, one after the other.
            let list = full.split_once(".#").and_then(|(list, _)| {
                let items = format!("{list}.#");
                order.iter().position(|k| k.starts_with(&items))
            });
            (section, list, numbers, place)
        });
        Ok(merged)
    }

    /// Concrete paths of tables with the given pattern that hold something (or are given empty).
    fn tables(&self, of: &str) -> Vec<&[String]> {
        let depth = of.split('.').count();
        let mut found: Vec<&[String]> = Vec::new();
        for a in &self.merged {
            let inside = a.path.len() > depth
                || (a.path.len() == depth && a.value == Value::Table(Vec::new()));
            let within = a.pattern == of || below(&a.pattern, of).is_some();
            if inside && within && !found.contains(&&a.path[..depth]) {
                found.push(&a.path[..depth]);
            }
        }
        found
    }

    /// Where the table at `path` was last written to.
    fn origin_in(&self, path: &[String]) -> String {
        let inside = self.merged.iter().filter(|a| a.path.starts_with(path));
        inside
            .max_by_key(|a| a.layer)
            .map_or_else(|| "configuration".into(), |a| a.origin.to_string())
    }

    /// Items of a list are numbered from 0 without a gap.
    fn check_lists(&self) -> Result<()> {
        for a in &self.merged {
            for (depth, name) in a.path.iter().enumerate() {
                let Ok(number) = name.parse::<usize>() else {
                    continue;
                };
                let list = &a.path[..depth];
                let has = |n: usize| {
                    let mut items = self.merged.iter();
                    items.any(|b| {
                        b.path.starts_with(list) && b.path.get(depth) == Some(&n.to_string())
                    })
                };
                let count = (0..=number).take_while(|&n| has(n)).count();
                if count <= number {
                    return Err(Error::Config {
                        origin: a.origin.to_string(),
                        key: a.key(),
                        problem: format!("the list `{}` has {count} items", list.join(".")),
                        remedy: format!("items are numbered from 0; the next one is {count}"),
                    });
                }
            }
        }
        Ok(())
    }

    fn check_alternatives(&self) -> Result<()> {
        for (section, alternatives) in all_alternatives(self.schema) {
            let Some(parent) = parent_pattern(section, alternatives) else {
                continue;
            };
            for table in self.tables(&parent) {
                let given: Vec<&Assignment> = alternatives
                    .groups
                    .iter()
                    .filter_map(|group| {
                        let mut inside = self.merged.iter();
                        inside.find(|a| {
                            a.path.starts_with(table) && in_group(section, group, &a.pattern)
                        })
                    })
                    .collect();
                let names = || {
                    let first = alternatives.groups.iter().map(|group| {
                        let name = group[0].rsplit('.').next().unwrap_or(group[0]);
                        format!("`{name}`")
                    });
                    first.collect::<Vec<_>>().join(", ")
                };
                let problem = match given.len() {
                    0 if alternatives.required => "says neither of what it needs".to_string(),
                    0 | 1 => continue,
                    _ => format!(
                        "both `{}` and `{}` are given",
                        given[0].key(),
                        given[1].key()
                    ),
                };
                return Err(Error::Config {
                    origin: given
                        .last()
                        .map_or_else(|| self.origin_in(table), |a| a.origin.to_string()),
                    key: table.join("."),
                    problem,
                    remedy: format!("give exactly one of {}", names()),
                });
            }
        }
        Ok(())
    }

    fn check_required(&self) -> Result<()> {
        for (full, key) in self.schema.keys().filter(|(_, key)| key.required) {
            let Some((parent, name)) = full.rsplit_once('.') else {
                continue;
            };
            for table in self.tables(parent) {
                let mut wanted = table.to_vec();
                wanted.push(name.to_string());
                let settled = self.merged.iter().any(|a| {
                    a.path.starts_with(&wanted)
                        || rivals(self.schema, (&wanted, &full), (&a.path, &a.pattern))
                });
                if !settled {
                    return Err(Error::Config {
                        origin: self.origin_in(table),
                        key: wanted.join("."),
                        problem: "is missing".into(),
                        remedy: format!("give {} ({})", key.kind.describe(), key.doc),
                    });
                }
            }
        }
        Ok(())
    }
}

/// The value of type `T` that the assignments make.
pub fn extract<T: serde::de::DeserializeOwned>(assignments: &[Assignment]) -> Result<T> {
    let merged = assignments
        .iter()
        .fold(Figment::new(), |figment, a| figment.merge(a.clone()));
    merged.extract().map_err(|e| Error::Config {
        origin: e
            .metadata
            .as_ref()
            .map_or_else(|| "configuration".into(), |m| m.name.to_string()),
        key: e.path.join("."),
        problem: e.kind.to_string(),
        remedy: "`isochrone config doc` lists what every key takes".into(),
    })
}

fn all_alternatives(
    schema: &Schema,
) -> impl Iterator<Item = (&'static str, &'static Alternatives)> {
    schema.sections.iter().flat_map(|section| {
        let all = section.alternatives.iter();
        all.map(|alternatives| (section.name, alternatives))
    })
}

/// Pattern of the table that holds the alternatives.
fn parent_pattern(section: &str, alternatives: &Alternatives) -> Option<String> {
    let full = format!("{section}.{}", alternatives.groups.first()?.first()?);
    full.rsplit_once('.').map(|(parent, _)| parent.to_string())
}

fn in_group(section: &str, group: &[&str], pattern: &str) -> bool {
    let inside = below(pattern, section);
    inside.is_some_and(|inside| {
        let mut keys = group.iter();
        keys.any(|key| inside == *key || below(inside, key).is_some())
    })
}

/// Whether two paths (each with its pattern) choose differently among the alternatives of one table.
fn rivals(schema: &Schema, old: (&[String], &str), new: (&[String], &str)) -> bool {
    if old.0[0] != new.0[0] {
        return false;
    }
    all_alternatives(schema).any(|(section, alternatives)| {
        let group = |pattern: &str| {
            let mut groups = alternatives.groups.iter();
            groups.position(|group| in_group(section, group, pattern))
        };
        match (group(old.1), group(new.1)) {
            (Some(a), Some(b)) if a != b => {
                let parent = parent_pattern(section, alternatives);
                parent.is_some_and(|parent| {
                    let depth = parent.split('.').count();
                    old.0[..depth] == new.0[..depth]
                })
            }
            _ => false,
        }
    })
}
