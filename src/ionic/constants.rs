//! Names and constants as a user gives them: unknown, missing and impossible ones, said clearly.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// A user's table of constants of one model.
pub(super) struct Constants<'a> {
    model: &'static str,
    table: &'a BTreeMap<String, f64>,
}

impl<'a> Constants<'a> {
    /// Refuses names that the model does not have.
    pub(super) fn new(
        model: &'static str,
        known: &[&str],
        table: &'a BTreeMap<String, f64>,
    ) -> Result<Self> {
        match table.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(unknown(
                &format!("constants of {model}"),
                "constant",
                name,
                known,
            )),
            None => Ok(Self { model, table }),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Any number.
    pub(super) fn finite(&self, name: &str) -> Result<f64> {
        self.get(name, "a finite number", |x| x.is_finite())
    }

    pub(super) fn positive(&self, name: &str) -> Result<f64> {
        self.get(name, "a positive number", |x| x > 0.0 && x.is_finite())
    }

    pub(super) fn non_negative(&self, name: &str) -> Result<f64> {
        self.get(name, "zero or more", |x| x >= 0.0 && x.is_finite())
    }

    /// Between 0 and 1, 1 excluded.
    pub(super) fn fraction(&self, name: &str) -> Result<f64> {
        self.get(name, "from 0 to below 1", |x| (0.0..1.0).contains(&x))
    }

    fn get(&self, name: &str, what: &str, allowed: impl Fn(f64) -> bool) -> Result<f64> {
        let model = self.model;
        match self.table.get(name) {
            None => Err(Error::bad_data(
                format!("constants of {model}"),
                format!("{name} is missing"),
                format!("add {name} to the table, or name a published set"),
            )),
            Some(&value) if !allowed(value) => Err(Error::bad_data(
                format!("constants of {model}"),
                format!("{name} = {value}"),
                format!("{name} must be {what}"),
            )),
            Some(&value) => Ok(value),
        }
    }
}

/// The error for a name that is not in a list: the list, and the likeliest name meant.
pub(super) fn unknown(place: &str, kind: &str, name: &str, known: &[&str]) -> Error {
    let likeliest = known
        .iter()
        .map(|candidate| {
            let (name, candidate) = (name.to_lowercase(), candidate.to_lowercase());
            strsim::jaro_winkler(&name, &candidate)
        })
        .zip(known)
        // Of equally like names the first: 1 is 1A rather than 10.
        .rev()
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.6);
    let meant = likeliest.map_or(String::new(), |(_, best)| {
        format!("did you mean \"{best}\"? ")
    });
    Error::bad_data(
        place,
        format!("no {kind} \"{name}\""),
        format!("{meant}known: {}", known.join(", ")),
    )
}
