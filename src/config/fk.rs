//! What the keys of `[fk]` have to agree on.

use super::Origins;
use crate::error::{Error, Result};
use crate::ionic;
use crate::monodomain::options::{
    Boundaries, DiffusivityOptions, FkOptions, GridOptions, InitialOptions, Integrator, Region,
    RestitutionOptions, Side, Spacing, StencilKind, StimulusKind, StimulusOptions, Timing,
};

/// More S1–S2 intervals than any curve has.
const MOST_INTERVALS: usize = 100_000;

/// Checks what is said, given any of it.
pub(super) fn validate(options: &FkOptions, origins: &Origins) -> Result<()> {
    let checks = Checks { options, origins };
    checks.grid()?;
    checks.model()?;
    checks.diffusivity()?;
    checks.stencil()?;
    for (i, part) in options.region.iter().enumerate() {
        checks.region(&format!("fk.region.{i}.region"), &part.region)?;
    }
    for (i, hole) in options.hole.iter().enumerate() {
        checks.region(&format!("fk.hole.{i}"), hole)?;
    }
    for (i, stimulus) in options.stimulus.iter().enumerate() {
        let key = format!("fk.stimulus.{i}");
        checks.region(&format!("{key}.region"), &stimulus.region)?;
        checks.timing(&key, stimulus)?;
    }
    checks.record()?;
    match &options.restitution {
        Some(protocol) => checks.restitution(protocol),
        None => Ok(()),
    }
}

/// Checks that nothing is missing that a run needs.
pub(super) fn complete(options: &FkOptions, origins: &Origins) -> Result<()> {
    let missing =
        |key: &str, problem: &str, remedy: &str| Err(origins.missing(key, problem, remedy));
    let Some(grid) = &options.grid else {
        return missing(
            "fk.grid",
            "there is no grid",
            "give fk.grid = { shape = [256, 256], spacing = 0.25 }, or { mesh, spacing }",
        );
    };
    // The protocols find their own end.
    let protocol = options.tune.is_some() || options.restitution.is_some();
    if options.step_count().is_none() && !protocol {
        return missing(
            "fk.duration",
            "nothing says how long",
            "give fk.duration in ms, or fk.steps",
        );
    }
    if options.diffusivity.is_none() && grid.dimensions() > 0 && options.tune.is_none() {
        return missing(
            "fk.diffusivity",
            "there is no diffusivity",
            "give fk.diffusivity = 0.1 (mm²/ms), { fibre, sheet, normal } or { file, dataset }",
        );
    }
    Ok(())
}

struct Checks<'a> {
    options: &'a FkOptions,
    origins: &'a Origins,
}

impl Checks<'_> {
    fn error(&self, key: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        self.origins.error(key, problem, remedy)
    }

    /// Axes of the grid; `None` where none is given.
    fn dimensions(&self) -> Option<usize> {
        self.options.grid.as_ref().map(GridOptions::dimensions)
    }

    /// `length` entries at `key` where the grid has an entry per axis.
    fn per_axis(&self, key: &str, length: usize) -> Result<()> {
        match self.dimensions() {
            Some(axes) if axes != length => Err(self.error(
                key,
                format!("has {length} values on a grid of {axes} axes"),
                "give one per axis of the grid",
            )),
            _ => Ok(()),
        }
    }

    fn grid(&self) -> Result<()> {
        let Some(grid) = &self.options.grid else {
            return Ok(());
        };
        let axes = grid.dimensions();
        if let GridOptions::Box { shape, .. } = grid {
            if axes > 3 {
                return Err(self.error(
                    "fk.grid.shape",
                    format!("has {axes} axes"),
                    "give (x), (y, x) or (z, y, x), or [] for a single cell",
                ));
            }
            let cells = shape.iter().try_fold(1_usize, |n, k| n.checked_mul(*k));
            if cells.is_none_or(|n| n > 1 << 48) {
                return Err(self.error(
                    "fk.grid.shape",
                    "has more cells than can be numbered",
                    "give a smaller shape",
                ));
            }
        }
        if let Some(Spacing::PerAxis(sizes)) = grid.spacing() {
            self.per_axis("fk.grid.spacing", sizes.len())?;
        }
        if let Boundaries::PerAxis(kinds) = &self.options.boundary {
            self.per_axis("fk.boundary", kinds.len())?;
        }
        if let Some(tile) = &self.options.tile {
            self.per_axis("fk.tile", tile.len())?;
        }
        Ok(())
    }

    /// Names and constants are those of the list of models.
    fn model(&self) -> Result<()> {
        let o = self.options;
        let at = |key: &str, error: Error| match error {
            Error::BadData {
                problem, remedy, ..
            } => self.error(key, problem, remedy),
            other => other,
        };
        ionic::sets(&o.model).map_err(|e| at("fk.model", e))?;
        let model = o.parameters.of(&o.model);
        let model = model.map_err(|e| at("fk.parameters", e))?;
        for (i, part) in o.region.iter().enumerate() {
            if let Some(parameters) = &part.parameters {
                let key = format!("fk.region.{i}.parameters");
                parameters.of(&o.model).map_err(|e| at(&key, e))?;
            }
        }
        if o.integrator == Integrator::RushLarsen && !model.linear_gates() {
            return Err(self.error(
                "fk.integrator",
                format!(
                    "is \"rush-larsen\", but the gates of {} are not linear in themselves",
                    o.model
                ),
                "choose \"euler\" or \"heun\"",
            ));
        }
        for name in &o.record.frames {
            let known = model.variable(name);
            known.map_err(|e| at("fk.record.frames", e))?;
        }
        if let Some(InitialOptions::Values(values)) = &o.initial {
            for name in values.keys() {
                let known = model.variable(name);
                known.map_err(|e| at(&format!("fk.initial.{name}"), e))?;
            }
        }
        for (i, part) in self.options.region.iter().enumerate() {
            if part.parameters.is_none() && part.gamma.is_none() {
                return Err(self.error(
                    &format!("fk.region.{i}"),
                    "changes nothing",
                    "give its parameters or its gamma",
                ));
            }
        }
        Ok(())
    }

    fn diffusivity(&self) -> Result<()> {
        if let Some(DiffusivityOptions::Orthotropic {
            direction: Some(direction),
            ..
        }) = &self.options.diffusivity
        {
            let key = "fk.diffusivity.direction";
            self.per_axis(key, direction.len())?;
            if direction.iter().all(|x| *x == 0.0) {
                return Err(self.error(key, "has no length", "give a direction"));
            }
        }
        Ok(())
    }

    /// The seed program's scheme knows neither tensors, masks, periodic edges nor 3D.
    fn stencil(&self) -> Result<()> {
        let o = self.options;
        if o.stencil == StencilKind::Flux {
            return Ok(());
        }
        let other = "choose fk.stencil = \"flux\"";
        let refused = |key: &str, problem: &str| {
            let problem = format!("{problem}, which the stencil cardiax does not know");
            Err(self.error(key, problem, other))
        };
        let periodic = o
            .boundary
            .periodic(2)
            .is_none_or(|axes| axes.contains(&true));
        if self.dimensions().is_some_and(|axes| axes != 2) {
            refused("fk.grid", "is not of two axes")
        } else if let Some(DiffusivityOptions::Orthotropic { .. }) = o.diffusivity {
            refused("fk.diffusivity", "is a tensor")
        } else if o.mask.is_some() {
            refused("fk.mask", "takes out cells")
        } else if !o.hole.is_empty() {
            refused("fk.hole", "takes out cells")
        } else if periodic {
            refused("fk.boundary", "is periodic")
        } else {
            Ok(())
        }
    }

    /// Coordinates fit the grid's axes, and a region without cells is not asked for.
    fn region(&self, key: &str, region: &Region) -> Result<()> {
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

    fn timing(&self, key: &str, s: &StimulusOptions) -> Result<()> {
        let refused = |name: &str, problem: &str, remedy: &str| {
            Err(self.error(&format!("{key}.{name}"), problem, remedy))
        };
        if s.timing == Timing::Seed {
            if s.kind != StimulusKind::Replace {
                let problem = format!("does not go with kind \"{}\"", s.kind.name());
                return refused(
                    "timing",
                    &problem,
                    "the seed program's stimuli are of kind \"replace\"",
                );
            }
            if s.amplitude == 0.0 {
                return refused(
                    "amplitude",
                    "is 0, which the seed program takes for no stimulus",
                    "give another amplitude",
                );
            }
            if s.count.is_some() {
                return refused(
                    "count",
                    "is not part of the seed program's timing",
                    "remove it, or timing = \"seed\"",
                );
            }
            let Some(period) = s.period else {
                return refused(
                    "period",
                    "is missing",
                    "the seed program's timing needs it, in steps (0 never fires)",
                );
            };
            for (name, steps) in [
                ("start", s.start),
                ("duration", s.duration),
                ("period", period),
            ] {
                if steps.fract() != 0.0 {
                    let problem = format!("is {steps}, but seed timing counts steps");
                    return refused(name, &problem, "give a whole number of steps");
                }
            }
            return Ok(());
        }
        if s.duration == 0.0 {
            return refused("duration", "is 0", "give a positive duration in ms");
        }
        match s.period {
            Some(period) if period < s.duration => {
                let problem = format!("is {period} ms, less than the duration {}", s.duration);
                refused(
                    "period",
                    &problem,
                    "give a longer period or a shorter duration",
                )
            }
            None if s.count.is_some_and(|count| count > 1) => refused(
                "count",
                "needs a period",
                "give the time from onset to onset",
            ),
            _ => Ok(()),
        }
    }

    fn record(&self) -> Result<()> {
        let r = &self.options.record;
        if let Some(level) = r.apd_level
            && level >= 1.0
        {
            return Err(self.error(
                "fk.record.apd_level",
                format!("is {level}, which repolarisation does not pass"),
                "give a fraction less than 1: 0.9 for APD90",
            ));
        }
        if r.compression > 9 {
            return Err(self.error(
                "fk.record.compression",
                format!("is {}", r.compression),
                "give 0 (none) to 9",
            ));
        }
        let twice = |(i, name): &(usize, &String)| r.frames[..*i].contains(*name);
        if let Some((_, name)) = r.frames.iter().enumerate().find(twice) {
            return Err(self.error(
                "fk.record.frames",
                format!("names {name} twice"),
                "name each variable once",
            ));
        }
        if r.frames.is_empty() && r.frames_every.is_some() {
            return Err(self.error(
                "fk.record.frames",
                "names no variable",
                "give frames = [\"u\"], or remove frames_every",
            ));
        }
        if r.tip && self.dimensions().is_some_and(|axes| axes < 2) {
            return Err(self.error(
                "fk.record.tip",
                "needs a grid of two or three axes",
                "remove it",
            ));
        }
        for (i, probe) in r.probes.iter().enumerate() {
            self.probe(i, probe)?;
        }
        Ok(())
    }

    fn restitution(&self, protocol: &RestitutionOptions) -> Result<()> {
        let key = |name: &str| format!("fk.restitution.{name}");
        let refused =
            |name: &str, problem: &str, remedy: &str| Err(self.error(&key(name), problem, remedy));
        if protocol.s1_period <= protocol.duration {
            return refused(
                "s1_period",
                &format!(
                    "is {} ms, not longer than a stimulus ({} ms)",
                    protocol.s1_period, protocol.duration
                ),
                "give a longer period or a shorter duration",
            );
        }
        if !(1..=MOST_INTERVALS).contains(&protocol.s2.count()) {
            return refused(
                "s2",
                &format!("has {} intervals", protocol.s2.count()),
                "give some in ms, s2 = [400, 300], or s2 = { from = 200, to = 400, step = 20 }",
            );
        }
        if let Some(short) = (protocol.s2.values().iter()).find(|i| **i < protocol.duration) {
            return refused(
                "s2",
                &format!(
                    "has an interval of {short} ms, shorter than a stimulus ({} ms)",
                    protocol.duration
                ),
                "give longer intervals",
            );
        }
        if !self.options.stimulus.is_empty() {
            return Err(self.error(
                "fk.stimulus",
                "does not go with fk.restitution, which has stimuli of its own",
                "remove one of them",
            ));
        }
        if self.options.initial.is_some() {
            return Err(self.error(
                "fk.initial",
                "does not go with fk.restitution, which begins at rest",
                "remove it",
            ));
        }
        if self.dimensions().is_none_or(|axes| axes == 0) {
            return Ok(());
        }
        match &protocol.region {
            Some(region) => self.region(&key("region"), region)?,
            None => {
                return Err(self.origins.missing(
                    &key("region"),
                    "nothing says where the stimuli act",
                    "give one, on a cable { half = \"west\", coverage = 0.05 }",
                ));
            }
        }
        if !(1..=2).contains(&self.options.record.probes.len()) {
            return Err(self.error(
                "fk.record.probes",
                format!(
                    "has {} points; fk.restitution measures durations at the first and the \
                     conduction velocity from it to the second",
                    self.options.record.probes.len()
                ),
                "give two, or one for durations alone",
            ));
        }
        Ok(())
    }

    /// A probe lies in a box of cells; what a mesh covers is known later.
    fn probe(&self, number: usize, probe: &[f64]) -> Result<()> {
        let key = "fk.record.probes";
        let Some(GridOptions::Box { shape, spacing }) = &self.options.grid else {
            return Ok(());
        };
        let axes = shape.len();
        if probe.len() != axes {
            return Err(self.error(
                key,
                format!(
                    "probe {number} has {} coordinates on a grid of {axes} axes",
                    probe.len()
                ),
                "give x, y(, z)",
            ));
        }
        let Some(spacing) = spacing.along(axes) else {
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
