//! By what a checkpoint knows the run that it belongs to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sha256;

/// How many differing keys a message names.
const MOST_NAMED: usize = 5;
/// How many characters of a value it shows.
const MOST_SHOWN: usize = 60;

/// What a resumed run must have in common with the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The case without what may change: its keys, or, of an earlier version, their SHA-256 as a text.
    pub case: Value,
    /// SHA-256 of each input file.
    pub inputs: BTreeMap<PathBuf, String>,
}

impl Fingerprint {
    /// What of `self`, a checkpoint's, is not as it is `now`; `may_change` tells the user what of
    /// the case may.
    pub fn difference(&self, now: &Self, may_change: &str) -> Option<String> {
        if self.case != now.case && !self.is_checksum_of(&now.case) {
            let mut keys = Vec::new();
            differing(&self.case, &now.case, "", &mut keys);
            let more = if keys.len() > MOST_NAMED { ", …" } else { "" };
            keys.truncate(MOST_NAMED);
            let keys = match keys.is_empty() {
                true => String::new(),
                false => format!(": {}{more}", keys.join(", ")),
            };
            return Some(format!(
                "it is of another case (only {may_change} may change){keys}"
            ));
        }
        let as_now = |(path, sha256): &(&PathBuf, &String)| now.inputs.get(*path) == Some(*sha256);
        let changed = self.inputs.iter().filter(|input| !as_now(input));
        let added = now.inputs.iter();
        let added = added.filter(|(path, _)| !self.inputs.contains_key(*path));
        let names: Vec<String> = changed
            .chain(added)
            .map(|(path, _)| path.display().to_string())
            .collect();
        if names.is_empty() {
            return None;
        }
        Some(format!(
            "the content of {} has changed since it was written",
            names.join(", ")
        ))
    }

    fn is_checksum_of(&self, case: &Value) -> bool {
        match &self.case {
            Value::String(sha256) => *sha256 == sha256::of_bytes(case.to_string().as_bytes()),
            _ => false,
        }
    }
}

/// Collects "fk.dt was 0.1 and is 0.05" for all keys of two tables that differ.
fn differing(old: &Value, new: &Value, key: &str, into: &mut Vec<String>) {
    let (Value::Object(old_keys), Value::Object(new_keys)) = (old, new) else {
        // Two texts are checksums, which tell the user nothing.
        if old != new && !key.is_empty() {
            into.push(format!("{key} was {} and is {}", shown(old), shown(new)));
        }
        return;
    };
    let added = new_keys.keys().filter(|name| !old_keys.contains_key(*name));
    for name in old_keys.keys().chain(added) {
        let below = match key {
            "" => name.clone(),
            key => format!("{key}.{name}"),
        };
        let value = |keys: &serde_json::Map<String, Value>| keys.get(name).cloned();
        let (old, new) = (value(old_keys), value(new_keys));
        differing(
            &old.unwrap_or_default(),
            &new.unwrap_or_default(),
            &below,
            into,
        );
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "absent".into(),
        value => value.to_string(),
    };
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MAY: &str = "[run]";

    #[test]
    fn a_changed_input_is_named_when_resuming() {
        let of = |case: &str, inputs: &[(&str, &str)]| Fingerprint {
            case: case.into(),
            inputs: (inputs.iter())
                .map(|(path, sha256)| (PathBuf::from(path), sha256.to_string()))
                .collect(),
        };
        let old = of("a", &[("mesh.h5", "1"), ("measured.h5", "2")]);
        assert_eq!(old.difference(&old, MAY), None);
        let says = |now: Fingerprint, words: &str| {
            let text = old.difference(&now, MAY).unwrap();
            assert!(text.contains(words), "{text}");
        };
        says(of("b", &[("mesh.h5", "1")]), "another case");
        let changed = of("a", &[("mesh.h5", "1"), ("measured.h5", "3")]);
        says(changed, "the content of measured.h5 has changed");
        says(of("a", &[("mesh.h5", "1")]), "measured.h5");
        let more = [("mesh.h5", "1"), ("measured.h5", "2"), ("w.h5", "4")];
        says(of("a", &more), "w.h5");
    }

    #[test]
    fn changed_keys_are_named_with_both_values() {
        let of = |case: Value| Fingerprint {
            case,
            inputs: BTreeMap::new(),
        };
        let old = of(json!({"fk": {"dt": 0.1, "model": "x", "stimulus": [1, 2]}}));
        let same: Fingerprint =
            serde_json::from_str(&serde_json::to_string(&old).unwrap()).unwrap();
        assert_eq!(old.difference(&same, MAY), None);
        // As earlier versions kept it.
        let sum = sha256::of_bytes(old.case.to_string().as_bytes());
        assert_eq!(of(sum.into()).difference(&old, MAY), None);
        assert!(of(json!("0123")).difference(&old, MAY).is_some());
        let now = of(json!({"fk": {"dt": 0.05, "model": "x", "tile": [8]}}));
        assert_eq!(
            old.difference(&now, MAY).unwrap(),
            "it is of another case (only [run] may change): fk.dt was 0.1 and is 0.05, \
             fk.stimulus was [1,2] and is absent, fk.tile was absent and is [8]"
        );
    }
}
