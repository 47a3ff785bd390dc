//! A TOML value that remembers its line.

use figment::value::{Dict, Value as Merged};
use toml_edit::{ImDocument, Item, TableLike};

/// A value and the line it was written on (1 is the first).
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    pub line: usize,
    pub value: Value,
}

/// What TOML can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Date(String),
    List(Vec<Located>),
    Table(Vec<(String, Located)>),
}

/// Text that is not TOML: the line and what is wrong there.
#[derive(Debug)]
pub struct Syntax {
    pub line: usize,
    pub problem: String,
}

/// The table of a TOML document.
pub fn parse(text: &str) -> Result<Value, Syntax> {
    let document = ImDocument::parse(text).map_err(|e| Syntax {
        line: line_of(text, e.span().map_or(0, |s| s.start)),
        problem: e.message().trim().replace('\n', ", "),
    })?;
    Ok(table(text, document.as_table()))
}

/// The value of `text`, as on the right of an equals sign; what is not TOML is a string.
pub fn parse_argument(text: &str) -> Value {
    match parse(&format!("value = {text}")) {
        Ok(Value::Table(mut entries)) if entries.len() == 1 => entries.remove(0).1.value,
        _ => Value::Text(text.to_string()),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

fn table(text: &str, entries: &dyn TableLike) -> Value {
    let located = entries.iter().map(|(name, entry)| {
        let span = entries
            .key(name)
            .and_then(toml_edit::Key::span)
            .or(entry.span());
        let line = line_of(text, span.map_or(0, |s| s.start));
        (name.to_string(), located(text, entry, line))
    });
    Value::Table(located.collect())
}

fn located(text: &str, entry: &Item, line: usize) -> Located {
    let value = match entry {
        Item::ArrayOfTables(tables) => Value::List(
            tables
                .iter()
                .map(|t| Located {
                    line: line_of(text, t.span().map_or(0, |s| s.start)),
                    value: table(text, t),
                })
                .collect(),
        ),
        Item::Table(t) => table(text, t),
        Item::Value(v) => plain(text, v, line),
        Item::None => Value::Table(Vec::new()),
    };
    Located { line, value }
}

fn plain(text: &str, value: &toml_edit::Value, line: usize) -> Value {
    use toml_edit::Value as Edit;
    match value {
        Edit::String(s) => Value::Text(s.value().clone()),
        Edit::Integer(i) => Value::Integer(*i.value()),
        Edit::Float(f) => Value::Float(*f.value()),
        Edit::Boolean(b) => Value::Boolean(*b.value()),
        Edit::Datetime(d) => Value::Date(d.value().to_string()),
        Edit::InlineTable(t) => table(text, t),
        Edit::Array(list) => Value::List(
            list.iter()
                .map(|v| {
                    let line = v.span().map_or(line, |s| line_of(text, s.start));
                    Located {
                        line,
                        value: plain(text, v, line),
                    }
                })
                .collect(),
        ),
    }
}

impl Value {
    /// The number that an integer or a float is.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Integer(i) => Some(*i as f64),
            Value::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// "the integer 3", "a list of 2", as said in an error.
    pub fn describe(&self) -> String {
        match self {
            Value::Boolean(_) => format!("the boolean {}", self.literal()),
            Value::Integer(_) => format!("the integer {}", self.literal()),
            Value::Float(_) => format!("the number {}", self.literal()),
            Value::Text(_) => format!("the string {}", self.literal()),
            Value::Date(_) => format!("the date {}", self.literal()),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Table(_) => "a table".into(),
        }
    }

    /// The value in TOML, on one line.
    pub fn literal(&self) -> String {
        match self {
            Value::Boolean(b) => b.to_string(),
            Value::Integer(i) => i.to_string(),
            Value::Float(f) => number_literal(*f),
            Value::Text(s) => text_literal(s),
            Value::Date(d) => d.clone(),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.value.literal()).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Table(entries) if entries.is_empty() => "{}".into(),
            Value::Table(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(name, item)| format!("{} = {}", name, item.value.literal()))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }

    /// The value as figment merges and extracts it.
    pub fn to_figment(&self) -> Merged {
        match self {
            Value::Boolean(b) => Merged::from(*b),
            Value::Integer(i) => Merged::from(*i),
            Value::Float(f) => Merged::from(*f),
            Value::Text(s) | Value::Date(s) => Merged::from(s.as_str()),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.value.to_figment()).collect();
                Merged::from(items)
            }
            Value::Table(entries) => {
                let entries = entries.iter();
                Merged::from(Dict::from_iter(
                    entries.map(|(name, item)| (name.clone(), item.value.to_figment())),
                ))
            }
        }
    }
}

/// The shortest TOML float that reads back as `f`.
fn number_literal(f: f64) -> String {
    if f.is_nan() || f.is_infinite() {
        return if f.is_nan() {
            "nan".into()
        } else if f > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    if f != 0.0 && !(1e-4..1e15).contains(&f.abs()) {
        format!("{f:e}")
    } else {
        format!("{f:?}")
    }
}

fn text_literal(s: &str) -> String {
    let literal = toml_edit::Value::from(s).to_string();
    // A string over several lines would break the one-line form.
    if literal.contains('\n') {
        format!("{s:?}")
    } else {
        literal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_text() {
        let text =
            "# first\n[a]\nx = 1\n\n[[b]]\ny = [\n 1,\n 2]\n[[b]]\nz = { q = true }\nc.d = 3\n";
        let Value::Table(top) = parse(text).unwrap() else {
            panic!()
        };
        assert_eq!(top[0].0, "a");
        let Value::Table(a) = &top[0].1.value else {
            panic!()
        };
        assert_eq!(a[0].1.line, 3);
        let Value::List(b) = &top[1].1.value else {
            panic!()
        };
        assert_eq!((b[0].line, b[1].line), (5, 9));
        let Value::Table(second) = &b[1].value else {
            panic!()
        };
        assert_eq!(second[0].1.line, 10);
        assert_eq!(second[1].1.line, 11);
    }

    #[test]
    fn an_argument_is_toml_or_a_string() {
        assert_eq!(parse_argument("3"), Value::Integer(3));
        assert_eq!(parse_argument("1e-10"), Value::Float(1e-10));
        assert_eq!(parse_argument("heart.vtu"), Value::Text("heart.vtu".into()));
        assert_eq!(parse_argument(""), Value::Text(String::new()));
        assert_eq!(
            parse_argument("1\nother = 2"),
            Value::Text("1\nother = 2".into())
        );
        assert_eq!(parse_argument("[1, 2]").literal(), "[1, 2]");
        assert_eq!(parse_argument("{ a = 1 }").literal(), "{ a = 1 }");
    }

    #[test]
    fn literals_read_back() {
        for f in [0.0, 1.0, 0.1, 1e-9, -2.5e300, 123456.789, f64::MIN_POSITIVE] {
            assert_eq!(parse_argument(&Value::Float(f).literal()), Value::Float(f));
        }
        for s in ["plain", "quo\"te", "back\\slash", "two\nlines", "tab\t", ""] {
            let text = Value::Text(s.into());
            assert_eq!(parse_argument(&text.literal()), text);
        }
    }
}
