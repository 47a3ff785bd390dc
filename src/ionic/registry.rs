//! THE list of models, and the way from a name to a type.

use std::collections::BTreeMap;

use super::IonicModel;
use super::aliev_panfilov::AlievPanfilov;
use super::constants::unknown;
use super::fenton_karma::FentonKarma;
use super::mitchell_schaeffer::MitchellSchaeffer;
use crate::error::{Error, Result};

/// What is done with models of one kind, once their type is known.
pub trait Visitor {
    type Output;

    /// `models`: one per region of the tissue, not empty.
    fn visit<M: IonicModel<G>, const G: usize>(self, models: Vec<M>) -> Self::Output;
}

macro_rules! models {
    ($($model:ident with $gates:literal gates;)+) => {
        /// A model with its constants, chosen at run time.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Model {
            $($model($model),)+
        }

        /// Names of all models.
        pub const MODELS: &[&str] = &[$(<$model as IonicModel<$gates>>::NAME,)+];

        /// Names of the published sets of a model.
        ///
        /// # Errors
        /// [`Error::BadData`]: no such model; the nearest name and all names.
        pub fn sets(model: &str) -> Result<Vec<&'static str>> {
            $(if model == <$model as IonicModel<$gates>>::NAME {
                return Ok($model::SETS.iter().map(|(name, _)| *name).collect());
            })+
            Err(unknown("ionic model", "model", model, MODELS))
        }

        impl Model {
            /// A published set of constants.
            ///
            /// # Errors
            /// [`Error::BadData`]: no such model or set; the nearest name and all names.
            pub fn named(model: &str, set: &str) -> Result<Self> {
                $(if model == <$model as IonicModel<$gates>>::NAME {
                    return published::<$model, $gates>(set).map(Model::$model);
                })+
                Err(unknown("ionic model", "model", model, MODELS))
            }

            /// A user's own constants.
            ///
            /// # Errors
            /// [`Error::BadData`]: no such model; a constant that is unknown, missing or out of range.
            pub fn from_table(model: &str, table: &BTreeMap<String, f64>) -> Result<Self> {
                $(if model == <$model as IonicModel<$gates>>::NAME {
                    return $model::from_constants(table).map(Model::$model);
                })+
                Err(unknown("ionic model", "model", model, MODELS))
            }

            pub fn name(&self) -> &'static str {
                match self {
                    $(Model::$model(_) => <$model as IonicModel<$gates>>::NAME,)+
                }
            }

            /// Names of the gates, as in files.
            pub fn gates(&self) -> &'static [&'static str] {
                match self {
                    $(Model::$model(_) => &<$model as IonicModel<$gates>>::GATES,)+
                }
            }

            /// Whether the exponential step of the gates differs from the explicit one.
            pub fn linear_gates(&self) -> bool {
                match self {
                    $(Model::$model(_) => <$model as IonicModel<$gates>>::LINEAR_GATES,)+
                }
            }

            /// The constants by name.
            pub fn constants(&self) -> Vec<(&'static str, f64)> {
                match self {
                    $(Model::$model(model) => model.constants(),)+
                }
            }

            /// u and gates at rest.
            pub fn rest(&self) -> (f64, Vec<f64>) {
                match self {
                    $(Model::$model(model) => {
                        let (u, gates) = model.rest();
                        (u, gates.to_vec())
                    })+
                }
            }

            /// [`IonicModel::reaction_rate`], 1/ms.
            pub fn reaction_rate(&self) -> f64 {
                match self {
                    $(Model::$model(model) => model.reaction_rate(),)+
                }
            }
        }

        /// Calls the visitor with the concrete type of `models`, one per region. Errors: none, or
        /// not all of one kind (regions differ in constants, not in equations).
        pub fn dispatch<V: Visitor>(models: &[Model], visitor: V) -> Result<V::Output> {
            match models.first() {
                $(Some(Model::$model(_)) => {
                    let same = models.iter().map(|model| match model {
                        Model::$model(model) => Ok(model.clone()),
                        other => Err(mixed(models[0].name(), other.name())),
                    });
                    Ok(visitor.visit::<$model, $gates>(same.collect::<Result<_>>()?))
                })+
                None => Err(Error::bad_data(
                    "ionic models",
                    "no region has one",
                    "give at least one set of constants",
                )),
            }
        }
    };
}

models! {
    FentonKarma with 2 gates;
    MitchellSchaeffer with 1 gates;
    AlievPanfilov with 1 gates;
}

impl Model {
    /// Place of a variable, named as in files: 0 for u, 1 for the first gate, …
    ///
    /// # Errors
    /// `BadData`: the model has no such variable.
    pub fn variable(&self, name: &str) -> Result<usize> {
        let variables = [&["u"], self.gates()].concat();
        let place = variables.iter().position(|variable| *variable == name);
        place.ok_or_else(|| {
            let kind = format!("variable of {}", self.name());
            unknown("variables", &kind, name, &variables)
        })
    }
}

fn published<M: IonicModel<G>, const G: usize>(set: &str) -> Result<M> {
    let named = M::SETS.iter().find(|(name, _)| *name == set);
    named.map(|(_, model)| model.clone()).ok_or_else(|| {
        let names: Vec<&str> = M::SETS.iter().map(|(name, _)| *name).collect();
        unknown(
            &format!("parameters of {}", M::NAME),
            "published set",
            set,
            &names,
        )
    })
}

fn mixed(one: &str, other: &str) -> Error {
    Error::bad_data(
        "ionic models",
        format!("regions have {one} and {other}"),
        "use one model for all regions, with different constants",
    )
}
