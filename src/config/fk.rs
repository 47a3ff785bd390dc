//! What the keys of `[fk]` have to agree on.

use super::layers::{Assignment, Origin};
use super::value::Value;
use super::{Origins, without_mesh};
use crate::error::{Error, Result};
use crate::ionic;
use crate::monodomain::options::{
    Boundaries, BridgeOptions, DiffusivityOptions, FkOptions, GridOptions, InitialOptions,
    Integrator, Spacing, StencilKind,
};

/// Where no parameters are given, those of a model other than the default one are its own first
/// set.
pub(super) fn default_parameters(assignments: &mut [Assignment]) {
    let model = assignments.iter().find(|a| a.key() == "fk.model");
    let Some(Value::Text(model)) = model.map(|a| &a.value) else {
        return;
    };
    let first = match ionic::sets(model) {
        Ok(sets) if *model != FkOptions::default().model => sets.first().copied(),
        // An unknown model is an error later, with its place.
        _ => None,
    };
    let given = (assignments.iter_mut())
        .find(|a| a.key() == "fk.parameters" && a.origin == Origin::Default);
    if let (Some(first), Some(parameters)) = (first, given) {
        parameters.value = Value::Text(first.to_owned());
    }
}

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
    checks.bridge()?;
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

pub(super) struct Checks<'a> {
    pub(super) options: &'a FkOptions,
    pub(super) origins: &'a Origins,
}

impl Checks<'_> {
    pub(super) fn error(
        &self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Error {
        self.origins.error(key, problem, remedy)
    }

    /// Axes of the grid; `None` where none is given.
    pub(super) fn dimensions(&self) -> Option<usize> {
        self.options.grid.as_ref().map(GridOptions::dimensions)
    }

    /// `length` entries at `key` where the grid has an entry per axis.
    pub(super) fn per_axis(&self, key: &str, length: usize) -> Result<()> {
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
        if let Some(DiffusivityOptions::Orthotropic { normal: None, .. }) =
            &self.options.diffusivity
            && self.dimensions() == Some(3)
        {
            return Err(self.origins.missing(
                "fk.diffusivity.normal",
                "is needed on a grid of three axes",
                "give the diffusivity normal to the sheet, or along z, in mm²/ms",
            ));
        }
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

    /// All that the bridge needs is there before the run begins.
    fn bridge(&self) -> Result<()> {
        let o = self.options;
        let Some(BridgeOptions { mesh }) = &o.bridge else {
            return Ok(());
        };
        if o.restitution.is_some() || o.tune.is_some() {
            return Ok(());
        }
        if o.record.upstroke().is_none() {
            return Err(self.error(
                "fk.bridge",
                "activation times are not recorded",
                "set fk.record.activation_threshold, for example to 0.5",
            ));
        }
        match &o.grid {
            Some(GridOptions::Box { .. } | GridOptions::Voxels { .. }) if mesh.is_none() => {
                Err(without_mesh(self.origins))
            }
            _ => Ok(()),
        }
    }
}
