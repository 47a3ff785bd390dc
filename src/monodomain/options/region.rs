//! Parts of the tissue, and how a configuration writes them.

use serde::{Deserialize, Serialize};

use super::DatasetOptions;

/// A part of the tissue. Coordinates in mm, from the grid's low corner for boxes of cells, in the
/// mesh's coordinates for voxelised meshes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RegionAsWritten", into = "RegionAsWritten")]
pub enum Region {
    /// low x, y(, z), high x, y(, z).
    Box {
        low: Vec<f64>,
        high: Vec<f64>,
    },
    /// A band from a side, `coverage` of the extent wide (0 to 1), turned by `angle` degrees about
    /// the grid's centre in the x–y plane, from x to y.
    Half {
        side: Side,
        coverage: f64,
        angle: f64,
    },
    Sphere {
        centre: Vec<f64>,
        radius: f64,
    },
    /// Non-zero in the dataset.
    File(DatasetOptions),
    /// Material domains of the voxelised mesh.
    Domains(Vec<u32>),
    /// Tags of the voxelised mesh.
    Tags(Vec<i32>),
    /// All active cells.
    All,
}

/// A region in a configuration: `"all"`, `{ box = { low, high } }` or `{ box = [low, high] }`,
/// `{ half, coverage, angle }`, `{ sphere = { centre, radius } }`, `{ file, dataset }`,
/// `{ domains }`, `{ tags }`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RegionAsWritten {
    All(All),
    Box {
        #[serde(rename = "box")]
        corners: Corners,
    },
    Half {
        half: Side,
        coverage: f64,
        #[serde(default)]
        angle: f64,
    },
    Sphere {
        sphere: Sphere,
    },
    File(DatasetOptions),
    Domains {
        domains: Vec<i64>,
    },
    Tags {
        tags: Vec<i32>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum All {
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Corners {
    Named { low: Vec<f64>, high: Vec<f64> },
    Pair(Vec<Vec<f64>>),
}

#[derive(Serialize, Deserialize)]
struct Sphere {
    centre: Vec<f64>,
    radius: f64,
}

impl TryFrom<RegionAsWritten> for Region {
    type Error = String;

    fn try_from(written: RegionAsWritten) -> Result<Self, String> {
        use RegionAsWritten as Written;
        Ok(match written {
            Written::All(_) => Region::All,
            Written::Box {
                corners: Corners::Named { low, high },
            } => Region::Box { low, high },
            Written::Box {
                corners: Corners::Pair(corners),
            } => {
                let corners: Result<[Vec<f64>; 2], _> = corners.try_into();
                let [low, high] = corners.map_err(|given| {
                    format!("a box has two corners, [low, high], not {}", given.len())
                })?;
                Region::Box { low, high }
            }
            Written::Half {
                half: side,
                coverage,
                angle,
            } => Region::Half {
                side,
                coverage,
                angle,
            },
            Written::Sphere {
                sphere: Sphere { centre, radius },
            } => Region::Sphere { centre, radius },
            Written::File(dataset) => Region::File(dataset),
            Written::Domains { domains } => {
                let number =
                    |d| u32::try_from(d).map_err(|_| format!("{d} is no number of a domain"));
                Region::Domains(domains.into_iter().map(number).collect::<Result<_, _>>()?)
            }
            Written::Tags { tags } => Region::Tags(tags),
        })
    }
}

impl From<Region> for RegionAsWritten {
    fn from(region: Region) -> Self {
        match region {
            Region::All => Self::All(All::All),
            Region::Box { low, high } => Self::Box {
                corners: Corners::Named { low, high },
            },
            Region::Half {
                side: half,
                coverage,
                angle,
            } => Self::Half {
                half,
                coverage,
                angle,
            },
            Region::Sphere { centre, radius } => Self::Sphere {
                sphere: Sphere { centre, radius },
            },
            Region::File(dataset) => Self::File(dataset),
            Region::Domains(domains) => Self::Domains {
                domains: domains.into_iter().map(i64::from).collect(),
            },
            Region::Tags(tags) => Self::Tags { tags },
        }
    }
}

/// West is low x, north low y, bottom low z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    West,
    East,
    North,
    South,
    Bottom,
    Top,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_survive_the_way_between_ranks() {
        let regions = vec![
            Region::All,
            Region::Box {
                low: vec![0.0, 1.0],
                high: vec![2.0, 3.0],
            },
            Region::Half {
                side: Side::North,
                coverage: 0.25,
                angle: 30.0,
            },
            Region::Sphere {
                centre: vec![1.0, 2.0, 3.0],
                radius: 0.5,
            },
            Region::File(DatasetOptions {
                file: "a.h5".into(),
                dataset: "/d".into(),
            }),
            Region::Domains(vec![3, 4]),
            Region::Tags(vec![-1]),
        ];
        let text = serde_json::to_string(&regions).unwrap();
        let again: Vec<Region> = serde_json::from_str(&text).unwrap();
        assert_eq!(again, regions);
    }
}
