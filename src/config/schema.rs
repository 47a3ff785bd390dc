//! The one list of keys: what may be written, of which type, and what it means.
//!
//! A section lists its keys once; the check for unknown keys, the check of types, the suggestions
//! and `isochrone config doc` all read that list. `#` in a key stands for the number of a list
//! item: `source.#.time`, `*` at its end for any name: `fk.parameters.*`.

use super::value::{Located, Value};

/// Keys of other programs, and what they are called here.
const MEANT: [(&str, &str); 6] = [
    ("fk.time", "fk.duration"),
    ("fk.end", "fk.duration"),
    ("fk.t_end", "fk.duration"),
    ("fk.dx", "fk.grid.spacing"),
    ("gradient.mode", "inversion.gradient"),
    ("gradient.method", "inversion.gradient"),
];

/// A table of the configuration file.
pub struct Section {
    /// `eikonal`, or dotted for a table inside: `fk.record`, `fk.stimulus.#.region`.
    pub name: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
    /// Keys of which only one kind may be given.
    pub alternatives: &'static [Alternatives],
    /// Built-in values, as TOML text of the section's table.
    pub defaults: fn() -> String,
}

/// One key of a section; `path` starts at the section.
pub struct Key {
    pub path: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    pub unit: &'static str,
    /// What its absence means, for a key without default.
    pub absent: &'static str,
    /// Needed wherever the table around it is given.
    pub required: bool,
}

/// Groups of keys that exclude one another. A later layer that uses another group displaces the
/// earlier choice; within one layer, two groups are an error.
pub struct Alternatives {
    pub groups: &'static [&'static [&'static str]],
    /// One group is needed wherever the table around it is given.
    pub required: bool,
}

/// Type and range of a value.
pub enum Kind {
    Boolean,
    /// Whole number, at least this.
    Integer(i64),
    /// Label of a tetrahedron: whole number of 32 bits.
    Tag,
    Number(Range),
    Text,
    /// Path of a file; relative ones start where the layer says.
    Path,
    Choice(&'static [&'static str]),
    List(&'static Kind),
    /// Three coordinates.
    Point(Range),
    Either(&'static [Kind]),
}

/// Range of a finite number.
#[derive(Clone, Copy)]
pub enum Range {
    Any,
    NonNegative,
    Positive,
}

impl Key {
    pub const fn new(path: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            path,
            kind,
            doc,
            unit: "",
            absent: "",
            required: false,
        }
    }

    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub const fn absent(mut self, meaning: &'static str) -> Self {
        self.absent = meaning;
        self
    }

    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

impl Range {
    fn contains(self, x: f64) -> bool {
        x.is_finite()
            && match self {
                Range::Any => true,
                Range::NonNegative => x >= 0.0,
                Range::Positive => x > 0.0,
            }
    }

    fn adjective(self) -> &'static str {
        match self {
            Range::Any => "finite",
            Range::NonNegative => "non-negative",
            Range::Positive => "positive",
        }
    }
}

impl Kind {
    /// Whether `value` is of this kind and in its range.
    pub fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Boolean, Value::Boolean(_)) => true,
            (Kind::Integer(least), Value::Integer(i)) => i >= least,
            (Kind::Tag, Value::Integer(i)) => i32::try_from(*i).is_ok(),
            (Kind::Number(range), v) => v.as_number().is_some_and(|x| range.contains(x)),
            (Kind::Text, Value::Text(_)) => true,
            (Kind::Path, Value::Text(s)) => !s.is_empty(),
            (Kind::Choice(names), Value::Text(s)) => names.contains(&s.as_str()),
            (Kind::List(kind), Value::List(items)) => {
                items.iter().all(|item| kind.accepts(&item.value))
            }
            (Kind::Point(range), Value::List(items)) => {
                items.len() == 3
                    && items.iter().all(|item| {
                        let number = item.value.as_number();
                        number.is_some_and(|x| range.contains(x))
                    })
            }
            (Kind::Either(kinds), v) => kinds.iter().any(|kind| kind.accepts(v)),
            _ => false,
        }
    }

    /// "a positive number", as said in an error and in the documentation.
    pub fn describe(&self) -> String {
        match self {
            Kind::Boolean => "true or false".into(),
            Kind::Tag => format!("a whole number, {} to {}", i32::MIN, i32::MAX),
            Kind::Integer(least) => format!("a whole number, at least {least}"),
            Kind::Number(Range::Any) => "a number".into(),
            Kind::Number(range) => format!("a {} number", range.adjective()),
            Kind::Text => "a string".into(),
            Kind::Path => "a path in quotes".into(),
            Kind::Choice(names) => names
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(" | "),
            Kind::List(kind) => format!("a list, each item {}", kind.describe()),
            Kind::Point(Range::Any) => "a list of three numbers".into(),
            Kind::Point(range) => format!("a list of three {} numbers", range.adjective()),
            Kind::Either(kinds) => kinds
                .iter()
                .map(Kind::describe)
                .collect::<Vec<_>>()
                .join(", or "),
        }
    }

    /// What is wrong with a `value` that is not accepted.
    pub fn problem(&self, value: &Value) -> String {
        match (self, value) {
            (Kind::List(kind), Value::List(items)) => first_refused(kind, items),
            (Kind::Point(range), Value::List(items)) if items.len() == 3 => {
                first_refused(&Kind::Number(*range), items)
            }
            (Kind::Either(kinds), Value::List(_)) => kinds
                .iter()
                .find(|kind| matches!(kind, Kind::List(_)))
                .map_or_else(
                    || format!("is {}", value.describe()),
                    |list| list.problem(value),
                ),
            _ => format!("is {}", value.describe()),
        }
    }
}

/// The first of `items` that is not of this kind.
fn first_refused(kind: &Kind, items: &[Located]) -> String {
    let refused = |(_, item): &(usize, &Located)| !kind.accepts(&item.value);
    let first = items.iter().enumerate().find(refused);
    first.map_or_else(String::new, |(i, item)| {
        format!("item {i} is {}", item.value.describe())
    })
}

/// All sections together: look-up of dotted paths.
pub struct Schema {
    pub sections: &'static [&'static Section],
}

/// What a path names.
pub enum Found {
    /// A key, or a table that is also a key of its own (`conduction.speed`), or only a table.
    Node {
        key: Option<&'static Key>,
        /// Names below; empty for a key that is no table.
        children: Vec<&'static str>,
    },
    Unknown,
}

impl Section {
    /// Whether its keys are those of a list's items.
    pub fn is_list(&self) -> bool {
        self.name.ends_with(".#") || self.keys.iter().all(|key| key.path.starts_with("#."))
    }

    /// Name of the table of the file that it is part of: `fk` of `fk.record`.
    pub fn table(&self) -> &'static str {
        first(self.name)
    }
}

impl Schema {
    /// `source.0.time` → `source.#.time`, and `fk.parameters.tau_d` → `fk.parameters.*`.
    pub fn pattern(&self, path: &[String]) -> String {
        let names = path.iter().map(|name| {
            let number = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
            if number { "#" } else { name.as_str() }
        });
        let pattern = names.collect::<Vec<_>>().join(".");
        let Some((above, name)) = pattern.rsplit_once('.') else {
            return pattern;
        };
        let (mut any_name, mut own) = (false, false);
        for section in self.sections {
            let mut inside = section.keys.iter().filter_map(|key| {
                let (table, last) = key.path.rsplit_once('.').unwrap_or(("", key.path));
                let same = match below(above, section.name) {
                    Some(rest) => rest == table,
                    None => above == section.name && table.is_empty(),
                };
                same.then_some(last)
            });
            any_name |= inside.clone().any(|last| last == "*");
            own |= inside.any(|last| last == name);
        }
        if any_name && !own {
            format!("{above}.*")
        } else {
            pattern
        }
    }

    /// Names of the tables of a file.
    pub fn tables(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for section in self.sections {
            push_new(&mut names, section.table());
        }
        names
    }

    /// Every key with its full pattern, `source.#.time`.
    pub fn keys(&self) -> impl Iterator<Item = (String, &'static Key)> {
        self.sections.iter().flat_map(|section| {
            let keys = section.keys.iter();
            keys.map(|key| (format!("{}.{}", section.name, key.path), key))
        })
    }

    /// What the pattern `path` names.
    pub fn find(&self, path: &str) -> Found {
        let mut key = None;
        let mut children = Vec::new();
        for section in self.sections {
            if let Some(rest) = below(section.name, path) {
                push_new(&mut children, first(rest));
                continue;
            }
            if path == section.name {
                for k in section.keys {
                    push_new(&mut children, first(k.path));
                }
                continue;
            }
            let Some(inside) = below(path, section.name) else {
                continue;
            };
            for k in section.keys {
                if k.path == inside {
                    key = Some(k);
                } else if let Some(rest) = below(k.path, inside) {
                    push_new(&mut children, first(rest));
                }
            }
        }
        if key.is_none() && children.is_empty() {
            Found::Unknown
        } else {
            Found::Node { key, children }
        }
    }

    /// The likeliest key meant by the unknown pattern `path`: similar name, rather in the same
    /// table.
    pub fn suggest(&self, path: &str) -> Option<String> {
        if let Some((_, meant)) = MEANT.iter().find(|(written, _)| *written == path) {
            return Some((*meant).to_owned());
        }
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut known: Vec<String> = Vec::new();
        for (full, _) in self.keys() {
            let mut node = full.as_str();
            loop {
                if !known.iter().any(|k| k == node) {
                    known.push(node.to_string());
                }
                match node.rsplit_once('.') {
                    Some((above, _)) => node = above,
                    None => break,
                }
            }
        }
        let score = |candidate: &str| {
            let (above, last) = candidate.rsplit_once('.').unwrap_or(("", candidate));
            // Far away, only a name that is nearly the same is likelier than another key here.
            let near = if above == parent { 0.1 } else { -0.05 };
            strsim::jaro_winkler(last, name) + near + 0.02 * strsim::jaro(candidate, path)
        };
        known
            .into_iter()
            .filter(|candidate| !candidate.ends_with(['*', '#']))
            .map(|candidate| (score(&candidate), candidate))
            .filter(|(score, _)| *score > 0.85)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, candidate)| candidate)
    }
}

fn push_new(names: &mut Vec<&'static str>, name: &'static str) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn first(path: &'static str) -> &'static str {
    path.split('.').next().unwrap_or(path)
}

/// The rest of `path` below `above`: ("a.b.c", "a") → "b.c".
pub fn below<'a>(path: &'a str, above: &str) -> Option<&'a str> {
    path.strip_prefix(above)?.strip_prefix('.')
}
