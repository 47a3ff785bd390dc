//! Which cell model the tissue has, and where its constants or its conductivity differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Region;
use crate::error::Result;
use crate::ionic::Model;

/// A named set, or the constants by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, from = "ParametersAsWritten")]
pub enum Parameters {
    Named(String),
    Table(BTreeMap<String, f64>),
}

impl Parameters {
    /// The model called `model` with these constants.
    ///
    /// # Errors
    /// `BadData`: no such model, set or constant; a constant is missing or out of range.
    pub fn of(&self, model: &str) -> Result<Model> {
        match self {
            Parameters::Named(set) => Model::named(model, set),
            Parameters::Table(constants) => Model::from_table(model, constants),
        }
    }
}

/// Set "3" may be written 3.
#[derive(Deserialize)]
#[serde(untagged)]
enum ParametersAsWritten {
    Number(u64),
    Named(String),
    Table(BTreeMap<String, f64>),
}

impl From<ParametersAsWritten> for Parameters {
    fn from(written: ParametersAsWritten) -> Self {
        match written {
            ParametersAsWritten::Number(number) => Parameters::Named(number.to_string()),
            ParametersAsWritten::Named(name) => Parameters::Named(name),
            ParametersAsWritten::Table(constants) => Parameters::Table(constants),
        }
    }
}

/// What differs in a part of the tissue; absent: as elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionParameters {
    pub region: Region,
    pub parameters: Option<Parameters>,
    /// Conductivity scaling: D is multiplied by it.
    pub gamma: Option<f64>,
}
