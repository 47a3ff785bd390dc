//! Section `[domains]`: material domains Ω_k and their conductivity scaling γ_k.

use serde::{Deserialize, Serialize};

use super::Origins;
use super::schema::{Key, Kind, Range, Section};
use crate::error::Result;
use crate::inversion::options::{DatasetRef, GammaInput};
use crate::units::counted;

/// Section `[domains]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Domains {
    method: Option<Method>,
    count: Option<usize>,
    file: Option<DatasetRef>,
    /// γ of the forward problem, and the first γ of an inversion.
    pub gamma: GammaInput,
}

/// `domains.method` as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    Metis,
    Tags,
    File,
    Single,
}

/// How the tetrahedra are divided into domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Division {
    /// One domain.
    Single,
    /// This many domains of equal size.
    Metis(usize),
    /// One domain per tag of the mesh, in ascending order of tags.
    Tags,
    /// Domain numbers, one per tetrahedron: `/mesh/domains` of the mesh file, or a dataset.
    File(Option<DatasetRef>),
}

impl Default for Domains {
    fn default() -> Self {
        Self {
            method: None,
            count: None,
            file: None,
            gamma: GammaInput::Uniform(1.0),
        }
    }
}

impl Domains {
    /// How the tetrahedra are divided.
    pub fn division(&self) -> Division {
        match (self.method, &self.file, self.count) {
            (Some(Method::Single), _, _) | (None, None, None) => Division::Single,
            (Some(Method::Tags), _, _) => Division::Tags,
            (Some(Method::File), file, _) => Division::File(file.clone()),
            (None, Some(file), _) => Division::File(Some(file.clone())),
            (Some(Method::Metis) | None, _, count) => Division::Metis(count.unwrap_or(1)),
        }
    }

    /// Number of domains as far as it is known without the mesh.
    pub fn known_count(&self) -> Option<usize> {
        match self.division() {
            Division::Single => Some(1),
            Division::Metis(count) => Some(count),
            Division::Tags | Division::File(_) => None,
        }
    }

    /// Nothing was said about a division.
    fn is_undivided(&self) -> bool {
        self.method.is_none() && self.file.is_none() && self.count.is_none()
    }

    pub(super) fn validate(&self, origins: &Origins) -> Result<()> {
        if self.method == Some(Method::Metis) && self.count.is_none() {
            return Err(origins.error(
                "domains.method",
                "metis needs the number of domains",
                "give domains.count",
            ));
        }
        let belongs_to = [
            ("count", self.count.is_some(), Method::Metis),
            ("file", self.file.is_some(), Method::File),
        ];
        for (key, given, its) in belongs_to {
            if let Some(method) = self.method.filter(|method| given && *method != its) {
                let name = |method: Method| format!("{method:?}").to_lowercase();
                return Err(origins.error(
                    &format!("domains.{key}"),
                    format!("does not go with domains.method = \"{}\"", name(method)),
                    format!(
                        "remove domains.{key}, or give domains.method = \"{}\"",
                        name(its)
                    ),
                ));
            }
        }
        if self.count.is_some() && self.file.is_some() {
            return Err(origins.error(
                "domains.count",
                "does not go with domains.file",
                "remove one of them: the file says how many domains there are",
            ));
        }
        check_length("domains.gamma", &self.gamma, self, origins)
    }
}

/// A list of γ has one number per domain.
pub(super) fn check_length(
    key: &str,
    gamma: &GammaInput,
    domains: &Domains,
    origins: &Origins,
) -> Result<()> {
    let remedy = if domains.is_undivided() {
        "divide the mesh: domains.method = \"file\" takes /mesh/domains of the mesh file, \"tags\" its \
         tags, domains.count makes domains; or give one number for all"
    } else {
        "give one value per domain, or one number for all"
    };
    match (gamma, domains.known_count()) {
        (GammaInput::PerDomain(list), Some(domains)) if list.len() != domains => Err(origins
            .error(
                key,
                format!(
                    "has {} for {}",
                    counted(list.len(), "value"),
                    counted(domains, "domain")
                ),
                remedy,
            )),
        _ => Ok(()),
    }
}

pub const SECTION: Section = Section {
    name: "domains",
    doc: "Material domains and their conductivity scaling.",
    keys: &[
        Key::new(
            "method",
            Kind::Choice(&["metis", "tags", "file", "single"]),
            "metis: equal domains; tags: one per tag; file: domains.file, else /mesh/domains of the \
             mesh file; single: one domain",
        )
        .absent("file where domains.file is given, metis where domains.count is, else single"),
        Key::new("count", Kind::Integer(1), "number of domains for metis"),
        Key::new(
            "file.file",
            Kind::Path,
            "HDF5 file with a domain number per tetrahedron",
        )
        .required(),
        Key::new("file.dataset", Kind::Text, "dataset in that file").absent("/mesh/domains"),
        Key::new(
            "gamma",
            Kind::Either(&[
                Kind::Number(Range::Positive),
                Kind::List(&Kind::Number(Range::Positive)),
            ]),
            "conductivity scaling: one number, or one per domain; speeds scale with its root",
        ),
    ],
    alternatives: &[],
    defaults: || "gamma = 1.0".into(),
};
