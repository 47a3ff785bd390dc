//! What regions and probes have to agree on with the grid.

use super::fk::Checks;
use crate::error::Result;
use crate::monodomain::options::{GridOptions, Region, Side};
use crate::units::counted;

impl Checks<'_> {
    /// Coordinates fit the grid's axes, and a region without cells is not asked for.
    pub(super) fn region(&self, key: &str, region: &Region) -> Result<()> {
        match region {
            Region::Box { low, high } => {
                let corner = |name: &str| {
                    let named = format!("{key}.box.{name}");
                    let short = !self.origins.given(&named);
                    if short { format!("{key}.box") } else { named }
                };
                self.per_axis(&corner("low"), low.len())?;
                self.per_axis(&corner("high"), high.len())?;
                if low.len() != high.len() {
                    return Err(self.error(
                        &format!("{key}.box"),
                        "has corners of different length",
                        "give x, y(, z) for both",
                    ));
                }
                match low.iter().zip(high).position(|(l, h)| l > h) {
                    Some(axis) => Err(self.error(
                        &format!("{key}.box"),
                        format!("is empty: {} > {} on axis {axis}", low[axis], high[axis]),
                        "give the low corner x, y(, z) first",
                    )),
                    None => Ok(()),
                }
            }
            Region::Half {
                side,
                coverage,
                angle,
            } => {
                let needed = match side {
                    Side::West | Side::East => 1,
                    Side::North | Side::South => 2,
                    Side::Bottom | Side::Top => 3,
                };
                if let Some(axes) = self.dimensions()
                    && axes < needed
                {
                    return Err(self.error(
                        &format!("{key}.half"),
                        format!("is a side of a grid of {needed} axes; this one has {axes}"),
                        "choose \"west\" or \"east\" (x), \"north\" or \"south\" (y)",
                    ));
                }
                if *coverage > 1.0 {
                    return Err(self.error(
                        &format!("{key}.coverage"),
                        format!("is {coverage}, more than the whole grid"),
                        "give a fraction of the grid's extent, up to 1",
                    ));
                }
                let turns = needed < 3 && self.dimensions() != Some(1);
                if *angle != 0.0 && !turns {
                    return Err(self.error(
                        &format!("{key}.angle"),
                        "turns in the x–y plane, which leaves this band where it is",
                        "remove it, or choose another side",
                    ));
                }
                Ok(())
            }
            Region::Sphere { centre, .. } => {
                self.per_axis(&format!("{key}.sphere.centre"), centre.len())
            }
            Region::Domains(_) | Region::Tags(_) => match &self.options.grid {
                Some(GridOptions::Box { .. }) => Err(self.error(
                    key,
                    "names a part of a voxelised mesh; this grid is a box of cells",
                    "give a box, half, sphere or file",
                )),
                _ => Ok(()),
            },
            Region::File(_) | Region::All => Ok(()),
        }
    }

    /// A probe has a coordinate for each axis of the grid.
    pub(super) fn probe_axes(&self, number: usize, probe: &[f64]) -> Result<()> {
        let Some(axes) = self.options.grid.as_ref().map(GridOptions::dimensions) else {
            return Ok(());
        };
        if probe.len() == axes {
            return Ok(());
        }
        Err(self.error(
            "fk.record.probes",
            format!(
                "probe {number} has {} on a grid of {axes} axes",
                counted(probe.len(), "coordinate")
            ),
            "give x, y(, z)",
        ))
    }

    /// A probe lies in a box of cells; what a mesh covers, and whether the case has one, is known
    /// later.
    pub(super) fn probe(&self, number: usize, probe: &[f64]) -> Result<()> {
        let key = "fk.record.probes";
        let grid = match &self.options.grid {
            None | Some(GridOptions::Case { .. }) => return Ok(()),
            Some(grid) => grid,
        };
        self.probe_axes(number, probe)?;
        let GridOptions::Box { shape, spacing } = grid else {
            return Ok(());
        };
        let Some(spacing) = spacing.along(shape.len()) else {
            return Ok(());
        };
        // Coordinates are x first, shapes x last.
        let extent = shape.iter().zip(spacing).rev().map(|(n, d)| *n as f64 * d);
        for ((x, extent), axis) in probe.iter().zip(extent).zip(["x", "y", "z"]) {
            if !(0.0..=extent).contains(x) {
                return Err(self.error(
                    key,
                    format!("probe {number} is outside the grid: {axis} = {x} mm"),
                    format!("the grid spans {axis} from 0 to {extent} mm"),
                ));
            }
        }
        Ok(())
    }
}
