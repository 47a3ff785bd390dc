//! The configuration as text: merged values with their origins, and the documentation of keys.

use std::fmt::Write;

use super::value::{Value, parse};
use super::{Merged, SCHEMA, Section};

impl Merged {
    /// The merged configuration in TOML.
    pub fn to_toml(&self) -> String {
        self.print(false)
    }

    /// The merged configuration in TOML with the origin of every value as a comment.
    pub fn show(&self) -> String {
        self.print(true)
    }

    fn print(&self, with_origins: bool) -> String {
        let mut text = String::new();
        let mut header = String::new();
        for a in &self.assignments {
            // Values of a list's items stand under [[name]], all others under [section].
            let number = a.path.iter().position(|n| n.parse::<usize>().is_ok());
            let depth = number.map_or(1, |at| at + 1).min(a.path.len());
            let above = a.path[..depth].join(".");
            if above != header {
                let gap = if text.is_empty() { "" } else { "\n" };
                let _ = match number {
                    Some(at) => writeln!(text, "{gap}[[{}]]", a.path[..at].join(".")),
                    None if a.path.len() > 1 => writeln!(text, "{gap}[{above}]"),
                    None => Ok(()),
                };
                header = above;
            }
            let name = a.path[depth..].join(".");
            if name.is_empty() {
                continue;
            }
            let line = format!("{name} = {}", a.value.literal());
            let _ = if with_origins {
                writeln!(text, "{line:<40} # {}", a.origin)
            } else {
                writeln!(text, "{line}")
            };
        }
        text
    }
}

/// Every key with type, default, unit and meaning: `isochrone config doc`.
pub fn documentation() -> String {
    let mut text = String::from(
        "Keys of the configuration. Later layers win: defaults, files in the order given,\n\
         environment ISOCHRONE_SECTION__KEY, --set section.key=value. Lists by number:\n\
         --set source.0.time=3. Milliseconds and mm/ms throughout.\n",
    );
    for (number, section) in SCHEMA.sections.iter().enumerate() {
        let header = header(section);
        let _ = writeln!(text, "\n{header}  {}", section.doc);
        let mut before = SCHEMA.sections[..number].iter();
        if let Some(same) = before.find(|s| std::ptr::eq(s.keys, section.keys)) {
            let _ = writeln!(text, "  the keys of {}", self::header(same));
            continue;
        }
        let defaults = parse(&(section.defaults)()).unwrap_or(Value::Table(Vec::new()));
        for key in section.keys {
            let path = key
                .path
                .trim_start_matches("#.")
                .replace(".#", "")
                .replace(".*", ".NAME");
            let _ = writeln!(text, "  {path}");
            let _ = writeln!(text, "      {}", key.doc);
            let mut facts = vec![key.kind.describe()];
            if !key.unit.is_empty() {
                facts.push(format!("in {}", key.unit));
            }
            if let Some(value) = default_of(&defaults, key.path) {
                facts.push(format!("default {value}"));
            }
            if !key.absent.is_empty() {
                facts.push(format!("if absent: {}", key.absent));
            }
            if key.required {
                facts.push("required in its table".into());
            }
            let _ = writeln!(text, "      {}", facts.join("; "));
        }
    }
    text
}

/// `[section]`, or `[[section]]` for a list.
fn header(section: &Section) -> String {
    let name = section.name.replace(".#", "");
    if section.is_list() {
        format!("[[{name}]]")
    } else {
        format!("[{name}]")
    }
}

fn default_of(defaults: &Value, path: &str) -> Option<String> {
    let mut value = defaults;
    for name in path.split('.') {
        let Value::Table(entries) = value else {
            return None;
        };
        value = &entries.iter().find(|(n, _)| n == name)?.1.value;
    }
    (!matches!(value, Value::Table(_))).then(|| value.literal())
}
