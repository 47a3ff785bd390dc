//! Which cells a region of the configuration has.

use std::ops::Range;

use super::grid::Grid;
use super::options::{DatasetOptions, Parameters, Region, RegionParameters, Side};
use crate::error::{Error, Result};

/// A cell is in where its centre is, this fraction of its size past the border included, so that
/// rounding does not decide about centres on a border.
const ON_BORDER: f64 = 1e-9;

/// Reads shape and values of a dataset.
pub type ReadDataset<'a> = dyn Fn(&DatasetOptions) -> Result<(Vec<usize>, Vec<f64>)> + 'a;

/// What the regions of one grid are found from.
pub struct Regions<'a> {
    pub grid: &'a Grid,
    /// Cells that take part; `None`: all. Regions have no others.
    pub active: Option<&'a [bool]>,
    /// Material domain and tag of each cell, of voxelised meshes.
    pub domains: Option<&'a [u32]>,
    pub tags: Option<&'a [i32]>,
    pub read: &'a ReadDataset<'a>,
}

/// What differs between the cells of a tissue.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    /// Distinct parameters, those of the whole tissue first.
    pub sets: Vec<Parameters>,
    /// Number in `sets` of each cell; `None`: 0 everywhere.
    pub set: Option<Vec<u8>>,
    /// Conductivity scaling of each cell; `None`: 1 everywhere.
    pub gamma: Option<Vec<f64>>,
}

impl Regions<'_> {
    /// The active cells in `region`, ascending; `what` names the region in errors
    /// ("fk.stimulus.0.region").
    ///
    /// # Errors
    /// [`Error::BadData`] for a region outside the grid or without an active cell, or that asks for
    /// what the grid does not have; those of [`nonzero`](Self::nonzero).
    pub fn cells(&self, what: &str, region: &Region) -> Result<Vec<usize>> {
        let cells = match region {
            Region::All => self.where_true(|_| true),
            Region::Box { low, high } => {
                self.in_bounds(what, low, high)?;
                self.within(&self.ranges(low, high), |_| true)
            }
            Region::Sphere { centre, radius } => {
                let low: Vec<f64> = centre.iter().map(|x| x - radius).collect();
                let high: Vec<f64> = centre.iter().map(|x| x + radius).collect();
                self.in_bounds(what, &low, &high)?;
                let smallest = self.grid.spacing.iter().copied().fold(f64::MAX, f64::min);
                let reach = (radius + ON_BORDER * smallest).powi(2);
                self.within(&self.ranges(&low, &high), |cell| {
                    let at = self.grid.centre(self.grid.place(cell));
                    let square = |(x, c): (f64, &f64)| (x - c).powi(2);
                    at.into_iter().zip(centre).map(square).sum::<f64>() <= reach
                })
            }
            Region::Half {
                side,
                coverage,
                angle,
            } => {
                let band = Band::new(self.grid, *side, *coverage, *angle);
                self.where_true(|cell| band.holds(self.grid.centre(self.grid.place(cell))))
            }
            Region::File(dataset) => {
                let inside = self.nonzero(what, dataset)?;
                self.where_true(|cell| inside[cell])
            }
            Region::Domains(wanted) => {
                let of = self.domains.ok_or_else(|| no_labels(what, "domains"))?;
                self.labelled(what, "domain", wanted, of)?
            }
            Region::Tags(wanted) => {
                let of = self.tags.ok_or_else(|| no_labels(what, "tags"))?;
                self.labelled(what, "tag", wanted, of)?
            }
        };
        if cells.is_empty() {
            return Err(Error::bad_data(
                what,
                "holds the centre of no cell that takes part",
                format!(
                    "make it larger, or move it into the tissue; the grid spans {}",
                    self.extent()
                ),
            ));
        }
        Ok(cells)
    }

    /// Which cells are not 0 in a dataset of the grid's shape.
    ///
    /// # Errors
    /// Those of reading; [`Error::BadFile`] for another shape or a NaN.
    pub fn nonzero(&self, what: &str, dataset: &DatasetOptions) -> Result<Vec<bool>> {
        let (shape, values) = (self.read)(dataset)?;
        let place = || format!("dataset {}", dataset.dataset);
        if shape != self.grid.file_shape() || values.len() != self.grid.cells() {
            return Err(Error::bad_file(
                &dataset.file,
                place(),
                format!(
                    "has shape {shape:?}, but the grid has {:?}",
                    self.grid.file_shape()
                ),
                format!("{what} needs one value per cell, x fastest"),
            ));
        }
        if let Some(cell) = values.iter().position(|value| value.is_nan()) {
            return Err(Error::bad_file(
                &dataset.file,
                place(),
                format!("is NaN at cell {:?} (z, y, x)", self.grid.place(cell)),
                format!("{what} needs 0 or another number in each cell"),
            ));
        }
        Ok(values.into_iter().map(|value| value != 0.0).collect())
    }

    /// Parameters and conductivity of the cells: `parameters`, and what `[[fk.region]]` changes; the
    /// last region that holds a cell and says something wins.
    ///
    /// # Errors
    /// Those of [`cells`](Self::cells); [`Error::BadData`] for more sets than 256.
    pub fn parts(&self, parameters: &Parameters, regions: &[RegionParameters]) -> Result<Parts> {
        let mut parts = Parts {
            sets: vec![parameters.clone()],
            set: None,
            gamma: None,
        };
        for (number, part) in regions.iter().enumerate() {
            let cells = self.cells(&format!("fk.region.{number}.region"), &part.region)?;
            if let Some(parameters) = &part.parameters {
                let known = parts.sets.iter().position(|set| set == parameters);
                let set = known.unwrap_or(parts.sets.len());
                if known.is_none() {
                    parts.sets.push(parameters.clone());
                }
                let set = u8::try_from(set).map_err(|_| {
                    Error::bad_data(
                        format!("fk.region.{number}.parameters"),
                        "is the 257th set of parameters",
                        "use at most 256 different sets",
                    )
                })?;
                let all = || vec![0; self.grid.cells()];
                let set_of = parts.set.get_or_insert_with(all);
                cells.iter().for_each(|&cell| set_of[cell] = set);
            }
            if let Some(gamma) = part.gamma {
                let all = || vec![1.0; self.grid.cells()];
                let gamma_of = parts.gamma.get_or_insert_with(all);
                cells.iter().for_each(|&cell| gamma_of[cell] = gamma);
            }
        }
        Ok(parts)
    }

    fn takes_part(&self, cell: usize) -> bool {
        self.active.is_none_or(|active| active[cell])
    }

    fn where_true(&self, holds: impl Fn(usize) -> bool) -> Vec<usize> {
        let cells = 0..self.grid.cells();
        cells
            .filter(|&cell| self.takes_part(cell) && holds(cell))
            .collect()
    }

    /// Cells in the ranges along z, y, x for which `holds` is true.
    fn within(&self, ranges: &[Range<usize>; 3], holds: impl Fn(usize) -> bool) -> Vec<usize> {
        let [zs, ys, xs] = ranges;
        let rows = zs.clone().flat_map(|z| ys.clone().map(move |y| (z, y)));
        let cells = rows.flat_map(|(z, y)| {
            let row = self.grid.cell([z, y, 0]);
            xs.clone().map(move |x| row + x)
        });
        cells
            .filter(|&cell| self.takes_part(cell) && holds(cell))
            .collect()
    }

    /// Cells along z, y, x with their centres between the corners x, y(, z); all along an axis that
    /// the corners do not have.
    fn ranges(&self, low: &[f64], high: &[f64]) -> [Range<usize>; 3] {
        std::array::from_fn(|axis| {
            let cells = self.grid.shape[axis];
            let xyz = 2 - axis;
            match (low.get(xyz), high.get(xyz)) {
                (Some(low), Some(high)) => {
                    let place =
                        |x: f64| (x - self.grid.origin[xyz]) / self.grid.spacing[axis] - 0.5;
                    let most = cells as f64;
                    let first = (place(*low) - ON_BORDER).ceil().clamp(0.0, most);
                    let end = ((place(*high) + ON_BORDER).floor() + 1.0).clamp(0.0, most);
                    first as usize..end as usize
                }
                _ => 0..cells,
            }
        })
    }

    /// An error for a box that does not meet the grid.
    fn in_bounds(&self, what: &str, low: &[f64], high: &[f64]) -> Result<()> {
        let outside = low.iter().zip(high).enumerate().any(|(xyz, (low, high))| {
            let (begin, end) = span(self.grid, xyz);
            *high < begin || *low > end
        });
        if !outside {
            return Ok(());
        }
        Err(Error::bad_data(
            what,
            "lies outside the grid",
            format!("the grid spans {}", self.extent()),
        ))
    }

    /// "x 0 to 12.8, y 0 to 12.8 mm".
    fn extent(&self) -> String {
        let axes = self.grid.dimensions.clamp(1, 3);
        let spans = ["x", "y", "z"].into_iter().take(axes).enumerate();
        let spans = spans.map(|(xyz, name)| {
            let (begin, end) = span(self.grid, xyz);
            format!("{name} {begin} to {end}")
        });
        format!("{} mm", spans.collect::<Vec<_>>().join(", "))
    }

    /// Active cells with one of the `wanted` labels, each of which some cell has.
    fn labelled<L: PartialEq + std::fmt::Display>(
        &self,
        what: &str,
        kind: &str,
        wanted: &[L],
        of: &[L],
    ) -> Result<Vec<usize>> {
        if let Some(missing) = wanted.iter().find(|label| !of.contains(label)) {
            return Err(Error::bad_data(
                what,
                format!("no cell has {kind} {missing}"),
                format!("name {kind}s of the voxelised mesh"),
            ));
        }
        Ok(self.where_true(|cell| wanted.contains(&of[cell])))
    }
}

fn no_labels(what: &str, kind: &str) -> Error {
    Error::bad_data(
        what,
        format!("asks for {kind}, which this grid does not have"),
        "give a box, half, sphere or file, or voxelise a mesh that has them",
    )
}

/// Begin and end of the grid along x, y or z (0, 1, 2), mm.
fn span(grid: &Grid, xyz: usize) -> (f64, f64) {
    let axis = 2 - xyz;
    let length = grid.shape[axis] as f64 * grid.spacing[axis];
    (grid.origin[xyz], grid.origin[xyz] + length)
}

/// Band from a side, turned about the grid's centre in the x–y plane.
struct Band {
    side: Side,
    /// Centre of the grid, x and y.
    centre: [f64; 2],
    cos: f64,
    sin: f64,
    /// Where the band begins and ends along its axis before it is turned.
    from: f64,
    to: f64,
}

impl Band {
    fn new(grid: &Grid, side: Side, coverage: f64, angle: f64) -> Self {
        let xyz = match side {
            Side::West | Side::East => 0,
            Side::North | Side::South => 1,
            Side::Bottom | Side::Top => 2,
        };
        let (begin, end) = span(grid, xyz);
        let width = coverage * (end - begin) + ON_BORDER * grid.spacing[2 - xyz];
        // A turned corner lies beyond the side: the band goes on there.
        let (from, to) = match side {
            Side::West | Side::North | Side::Bottom => (f64::NEG_INFINITY, begin + width),
            Side::East | Side::South | Side::Top => (end - width, f64::INFINITY),
        };
        let middle = |xyz| {
            let (begin, end) = span(grid, xyz);
            0.5 * (begin + end)
        };
        let (sin, cos) = angle.to_radians().sin_cos();
        Self {
            side,
            centre: [middle(0), middle(1)],
            cos,
            sin,
            from,
            to,
        }
    }

    /// Whether the point, turned back, is in the band of the side.
    fn holds(&self, [x, y, z]: [f64; 3]) -> bool {
        let [cx, cy] = self.centre;
        let (dx, dy) = (x - cx, y - cy);
        let along = match self.side {
            Side::West | Side::East => cx + self.cos * dx + self.sin * dy,
            Side::North | Side::South => cy - self.sin * dx + self.cos * dy,
            Side::Bottom | Side::Top => z,
        };
        (self.from..=self.to).contains(&along)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(shape: [usize; 3], spacing: f64, dimensions: usize) -> Grid {
        Grid {
            shape,
            spacing: [spacing; 3],
            origin: [0.0; 3],
            periodic: [false; 3],
            dimensions,
        }
    }

    fn unread(_: &DatasetOptions) -> Result<(Vec<usize>, Vec<f64>)> {
        Err(Error::Bug("no dataset is read here".into()))
    }

    fn regions(grid: &Grid) -> Regions<'_> {
        Regions {
            grid,
            active: None,
            domains: None,
            tags: None,
            read: &unread,
        }
    }

    fn half(side: Side, coverage: f64, angle: f64) -> Region {
        Region::Half {
            side,
            coverage,
            angle,
        }
    }

    fn rectangle(low: &[f64], high: &[f64]) -> Region {
        Region::Box {
            low: low.to_vec(),
            high: high.to_vec(),
        }
    }

    #[test]
    fn a_box_has_the_cells_with_their_centres_in_it() {
        let grid = grid([1, 4, 5], 0.5, 2);
        let cells = regions(&grid).cells("box", &rectangle(&[0.5, 1.0], &[1.5, 9.0]));
        // x centres 0.75 and 1.25, y centres 1.25 and 1.75.
        assert_eq!(cells.unwrap(), [11, 12, 16, 17]);
        // Centres on the border are in, whatever the rounding of 0.1 + 0.2.
        let fine = Grid {
            spacing: [0.1; 3],
            ..grid.clone()
        };
        let cells = regions(&fine).cells("box", &rectangle(&[0.15, 0.05], &[0.25, 0.05]));
        assert_eq!(cells.unwrap(), [1, 2]);
        // A mesh's grid does not start at 0.
        let moved = Grid {
            origin: [-10.0, -10.0, 3.0],
            ..grid
        };
        let cells = regions(&moved).cells("box", &rectangle(&[-10.0, -10.0], &[-9.6, -9.6]));
        assert_eq!(cells.unwrap(), [0]);
    }

    #[test]
    fn a_ball_in_three_axes_is_counted_as_by_hand() {
        let grid = grid([5, 5, 5], 1.0, 3);
        let ball = |radius| Region::Sphere {
            centre: vec![2.5; 3],
            radius,
        };
        let count = |radius| regions(&grid).cells("ball", &ball(radius)).unwrap().len();
        // Lattice points within 1, √2, √3 and 2 of the origin.
        assert_eq!(
            [
                count(0.5),
                count(1.0),
                count(1.415),
                count(1.733),
                count(2.0)
            ],
            [1, 7, 19, 27, 33]
        );
    }

    #[test]
    fn a_band_covers_its_fraction_and_turns_about_the_centre() {
        let square = grid([1, 20, 20], 0.3, 2);
        let cells = |region: &Region| regions(&square).cells("band", region).unwrap();
        let west = cells(&half(Side::West, 0.25, 0.0));
        assert_eq!(west.len(), 100);
        assert!(west.iter().all(|cell| cell % 20 < 5));
        assert_eq!(
            cells(&half(Side::South, 0.1, 0.0)),
            (360..400).collect::<Vec<_>>()
        );
        assert_eq!(cells(&half(Side::East, 1.0, 0.0)).len(), 400);
        // A quarter turn from x to y takes the west to the north, a half turn to the east.
        let north = cells(&half(Side::North, 0.25, 0.0));
        assert_eq!(cells(&half(Side::West, 0.25, 90.0)), north);
        let east = cells(&half(Side::East, 0.25, 0.0));
        assert_eq!(cells(&half(Side::West, 0.25, 180.0)), east);
        assert_eq!(cells(&half(Side::North, 0.25, -90.0)), west);
        // At 45° half the grid lies on either side of its diagonal.
        let diagonal = cells(&half(Side::West, 0.5, 45.0));
        assert!(diagonal.iter().all(|cell| cell % 20 + cell / 20 <= 19));
        assert_eq!(diagonal.len(), 210);
        let deep = grid([8, 3, 3], 1.0, 3);
        let bottom = regions(&deep).cells("band", &half(Side::Bottom, 0.25, 0.0));
        assert_eq!(bottom.unwrap(), (0..18).collect::<Vec<_>>());
    }

    #[test]
    fn inactive_cells_are_in_no_region() {
        let grid = grid([1, 2, 3], 1.0, 2);
        let active = [true, false, true, false, false, true];
        let masked = Regions {
            active: Some(&active),
            ..regions(&grid)
        };
        assert_eq!(masked.cells("all", &Region::All).unwrap(), [0, 2, 5]);
        let hole = rectangle(&[1.0, 0.0], &[2.0, 1.0]);
        let error = masked.cells("fk.stimulus.0.region", &hole).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        let text = error.to_string();
        assert!(
            text.contains("fk.stimulus.0.region") && text.contains("x 0 to 3"),
            "{text}"
        );
    }

    #[test]
    fn regions_outside_the_grid_are_refused() {
        let grid = grid([1, 10, 10], 0.1, 2);
        for region in [
            rectangle(&[2.0, 0.0], &[3.0, 1.0]),
            rectangle(&[0.0, -2.0], &[1.0, -1.0]),
            Region::Sphere {
                centre: vec![5.0, 0.5],
                radius: 1.0,
            },
        ] {
            let text = regions(&grid).cells("s", &region).unwrap_err().to_string();
            assert!(
                text.contains("outside the grid") && text.contains("y 0 to 1 mm"),
                "{text}"
            );
        }
        // Between two centres.
        let thin = rectangle(&[0.06, 0.0], &[0.14, 1.0]);
        let text = regions(&grid).cells("s", &thin).unwrap_err().to_string();
        assert!(text.contains("no cell"), "{text}");
    }

    #[test]
    fn datasets_have_the_shape_of_the_grid() {
        let grid = grid([1, 2, 3], 1.0, 2);
        let of = |shape: Vec<usize>, values: Vec<f64>| {
            let read = move |_: &DatasetOptions| Ok((shape.clone(), values.clone()));
            let regions = Regions {
                read: &read,
                ..regions(&grid)
            };
            let dataset = DatasetOptions {
                file: "mask.h5".into(),
                dataset: "/mask".into(),
            };
            regions.cells("fk.mask", &Region::File(dataset))
        };
        let mask = vec![0.0, 2.5, 0.0, -1.0, 0.0, 0.0];
        assert_eq!(of(vec![2, 3], mask.clone()).unwrap(), [1, 3]);
        let text = of(vec![3, 2], mask).unwrap_err().to_string();
        assert!(
            text.contains("[3, 2]") && text.contains("[2, 3]") && text.contains("/mask"),
            "{text}"
        );
        let text = of(vec![2, 3], vec![0.0, 1.0, 0.0, 0.0, f64::NAN, 0.0]).unwrap_err();
        assert!(text.to_string().contains("[0, 1, 1]"), "{text}");
        assert!(of(vec![2, 3], vec![0.0; 6]).is_err());
    }

    #[test]
    fn labels_are_those_of_a_voxelised_mesh() {
        let grid = grid([1, 1, 4], 1.0, 3);
        let text = regions(&grid)
            .cells("r", &Region::Tags(vec![1]))
            .unwrap_err();
        assert!(text.to_string().contains("tags"), "{text}");
        let labelled = Regions {
            domains: Some(&[0, 1, 2, 1]),
            tags: Some(&[-1, -1, 7, 7]),
            ..regions(&grid)
        };
        assert_eq!(
            labelled.cells("r", &Region::Domains(vec![1, 0])).unwrap(),
            [0, 1, 3]
        );
        assert_eq!(labelled.cells("r", &Region::Tags(vec![7])).unwrap(), [2, 3]);
        let text = labelled
            .cells("r", &Region::Domains(vec![1, 5]))
            .unwrap_err();
        assert!(text.to_string().contains("domain 5"), "{text}");
    }

    #[test]
    fn the_last_region_that_says_something_wins() {
        let grid = grid([1, 1, 4], 1.0, 1);
        let named = |name: &str| Parameters::Named(name.into());
        let part = |high: f64, parameters: Option<&str>, gamma| RegionParameters {
            region: rectangle(&[0.0], &[high]),
            parameters: parameters.map(named),
            gamma,
        };
        let parts = regions(&grid)
            .parts(
                &named("3"),
                &[
                    part(3.0, Some("1A"), Some(0.5)),
                    part(2.0, None, Some(0.1)),
                    part(1.0, Some("3"), None),
                ],
            )
            .unwrap();
        assert_eq!(parts.sets, [named("3"), named("1A")]);
        assert_eq!(parts.set.unwrap(), [0, 1, 1, 0]);
        assert_eq!(parts.gamma.unwrap(), [0.1, 0.1, 0.5, 1.0]);
        let same = regions(&grid).parts(&named("3"), &[]).unwrap();
        assert_eq!((same.set, same.gamma), (None, None));
    }
}
