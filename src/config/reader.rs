//! Reads one layer: every key known, every value of its type, or an error with file and line.

use std::path::Path;

use super::layers::{Assignment, Origin};
use super::schema::{Found, Kind, Schema};
use super::value::{Located, Value};
use crate::error::{Error, Result};

/// How the values of one layer are read.
pub(super) struct Reader<'a> {
    pub schema: &'a Schema,
    pub origin: &'a dyn Fn(usize) -> Origin,
    /// Folder where relative paths start.
    pub base: &'a Path,
    pub layer: usize,
    /// What has been read.
    pub read: Vec<Assignment>,
}

impl Reader<'_> {
    /// Reads `value` at `path`, down to the keys of the schema.
    pub fn read(&mut self, path: &mut Vec<String>, value: &Value, line: usize) -> Result<()> {
        let (key, children) = if path.is_empty() {
            (None, self.schema.tables())
        } else {
            match self.schema.find(&self.schema.pattern(path)) {
                Found::Node { key, children } => (key, children),
                Found::Unknown => return Err(self.unknown(path, line)),
            }
        };
        let list = children == ["#"];
        match value {
            Value::Table(entries) if list && entries.iter().any(|(name, _)| !is_number(name)) => {
                let name = path.join(".");
                Err(self.error(
                    path,
                    line,
                    "is a list, not one table".into(),
                    format!("write [[{name}]] in double brackets, once per item"),
                ))
            }
            Value::Table(entries) if !children.is_empty() => {
                if entries.is_empty() {
                    self.assign(path, value, line);
                }
                self.read_entries(path, entries)
            }
            Value::List(items) if list => {
                self.assign(path, &Value::List(Vec::new()), line);
                for (number, item) in items.iter().enumerate() {
                    path.push(number.to_string());
                    self.read(path, &item.value, item.line)?;
                    path.pop();
                }
                Ok(())
            }
            _ => match key {
                Some(key) if key.kind.accepts(value) => {
                    let value = match (&key.kind, value) {
                        (Kind::Path, Value::Text(name)) => Value::Text(self.resolve(name)),
                        _ => value.clone(),
                    };
                    self.assign(path, &value, line);
                    Ok(())
                }
                Some(key) => {
                    let expected = if children.is_empty() {
                        key.kind.describe()
                    } else {
                        format!(
                            "{}, or a table of {}",
                            key.kind.describe(),
                            listed(&children)
                        )
                    };
                    let remedy = format!("expected {expected}");
                    Err(self.error(path, line, key.kind.problem(value), remedy))
                }
                None if list => Err(self.error(
                    path,
                    line,
                    format!("is {}", value.describe()),
                    format!("expected a list of tables: [[{}]]", path.join(".")),
                )),
                None => Err(self.error(
                    path,
                    line,
                    format!("is {}", value.describe()),
                    format!("expected a table of {}", listed(&children)),
                )),
            },
        }
    }

    fn read_entries(
        &mut self,
        path: &mut Vec<String>,
        entries: &[(String, Located)],
    ) -> Result<()> {
        for (name, item) in entries {
            path.push(name.clone());
            self.read(path, &item.value, item.line)?;
            path.pop();
        }
        Ok(())
    }

    fn assign(&mut self, path: &[String], value: &Value, line: usize) {
        self.read.push(Assignment {
            path: path.to_vec(),
            pattern: self.schema.pattern(path),
            value: value.clone(),
            origin: (self.origin)(line),
            layer: self.layer,
        });
    }

    fn resolve(&self, name: &str) -> String {
        self.base.join(name).to_string_lossy().into_owned()
    }

    fn unknown(&self, path: &[String], line: usize) -> Error {
        let given = self.schema.pattern(path);
        let remedy = match self.schema.suggest(&given) {
            Some(likely) => format!("did you mean `{}`?", numbered(&likely, path)),
            None => {
                let parent = given.rsplit_once('.').map_or("", |(parent, _)| parent);
                let (table, names) = match self.schema.find(parent) {
                    Found::Node { children, .. } => (format!("keys of `{parent}`"), children),
                    Found::Unknown => ("sections".to_string(), self.schema.tables()),
                };
                format!("the {table} are {}", listed(&names))
            }
        };
        self.error(path, line, "unknown key".into(), remedy)
    }

    fn error(&self, path: &[String], line: usize, problem: String, remedy: String) -> Error {
        Error::Config {
            origin: (self.origin)(line).to_string(),
            key: path.join("."),
            problem,
            remedy,
        }
    }
}

/// The pattern `key` with the numbers of `path`, or 0.
fn numbered(key: &str, path: &[String]) -> String {
    let name = |(depth, name): (usize, &str)| match path.get(depth) {
        _ if name != "#" => name.to_string(),
        Some(number) if is_number(number) => number.clone(),
        _ => "0".into(),
    };
    let names: Vec<String> = key.split('.').enumerate().map(name).collect();
    names.join(".")
}

/// The names in a table, as said in an error.
fn listed(names: &[&str]) -> String {
    let named = |name: &&str| match *name {
        "*" => "numbers by name".to_string(),
        name => name.to_string(),
    };
    names.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}
