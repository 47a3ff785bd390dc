//! `--tune-speed`: the isotropic diffusivity of a wanted conduction velocity.
//!
//! A plane wave runs along a cable with the case's spacing along x, Δt, stencil, integrator,
//! precision and parameters; D is searched until its velocity is the wanted one. The cable has a
//! few hundred cells, so rank 0 does this alone.

use std::time::Instant;

use serde_json::json;

use super::stop::Stop;
use crate::comm::agree;
use crate::comm::solo::Solo;
use crate::config::Origins;
use crate::error::{Error, Result};
use crate::io;
use crate::ionic::Model;
use crate::monodomain::activation::UpstrokeOptions;
use crate::monodomain::build::StimulusCells;
use crate::monodomain::conduction::{Tuning, TuningStop, conduction_velocity, tune_diffusivity};
use crate::monodomain::grid::{Diffusivity, Grid, Tissue};
use crate::monodomain::options::{
    DiffusivityOptions, FkOptions, GridOptions, Region, StencilKind, StimulusKind, StimulusOptions,
    Timing, TuneOptions,
};
use crate::monodomain::simulation::{self, Setup, largest_dt};
use crate::monodomain::stencil::cardiax;
use crate::monodomain::stimulus::Schedule;
use crate::run::job::Job;
use crate::run::plan::Plan;
use crate::run::print_on_root;
use crate::run::signals::StopRequests;
use crate::simd::SimdLevel;

/// Diffusivities tried at most.
const MOST_EVALUATIONS: usize = 60;
/// A wave this many times slower than wanted counts as none.
const SLOWEST: f64 = 20.0;
/// D where the case has none to begin with, mm²/ms: that of ventricular tissue.
const USUAL: f64 = 0.1;
/// The wave is started by u = 1 for so long, ms.
const CLAMP: f64 = 2.0;

/// Runs the search. The answer is printed; files are written only where a folder is asked for, so
/// that the folder of the case's results stays free for the run that follows. Collective.
pub fn run(job: &mut Job, fk: &FkOptions, options: &TuneOptions, to_folder: bool) -> Result<()> {
    let comm = job.comm;
    let model = agree(comm, fk.parameters.of(&fk.model))?;
    if job.dry_run {
        let mut plan = Plan::default();
        plan.step("search of D for mm/ms", options.speed);
        plan.step("ranks that work", 1);
        if to_folder {
            plan.files = vec![
                job.folder.join("config.toml"),
                job.folder.join("report.json"),
            ];
            plan.refused = job.check_output(None).err().map(|e| e.to_string());
        }
        return job.print_plan(&plan);
    }
    let stop = Stop {
        requests: agree(comm, StopRequests::listen(job.case.run.max_minutes))?,
        report: &job.report,
    };
    let output = to_folder.then(|| job.open_output(None)).transpose()?;
    let begun = Instant::now();
    let tuned = (comm.rank() == 0)
        .then(|| search(fk, options, &model, &job.case.origins, &stop))
        .transpose();
    let tuned = agree(comm, tuned)?;
    // A search that finds nothing leaves no folder.
    if let Some(output) = &output {
        output.begin(comm, job.case.to_toml(), &[])?;
    }
    job.report.add_time("step", begun.elapsed());
    let mut text = String::new();
    if let Some((d, velocity, tuning)) = &tuned {
        let tried: Vec<_> = (tuning.evaluations.iter())
            .map(|(d, c)| json!({ "diffusivity": d, "conduction_velocity": c }))
            .collect();
        text = format!(
            "D = {d:.6} mm²/ms conducts at {velocity:.5} mm/ms ({} wanted), found by {} simulations \
             of a cable.\n\n[fk]\ndiffusivity = {d:.6}\n",
            options.speed,
            tried.len()
        );
        job.report.result("stop_reason", "complete");
        job.report.result("diffusivity", *d);
        job.report.result("conduction_velocity", *velocity);
        job.report
            .result("wanted_conduction_velocity", options.speed);
        job.report.count_once("evaluations", tried.len() as u64);
        job.report.result("evaluations", tried);
    }
    if let Some(output) = &output {
        job.finish(output)?;
    }
    print_on_root(comm, &text)
}

/// D, its velocity, and what was tried.
fn search(
    fk: &FkOptions,
    options: &TuneOptions,
    model: &Model,
    origins: &Origins,
    stop: &Stop,
) -> Result<(f64, f64, Tuning)> {
    let wanted = options.speed;
    let spacing = spacing(fk)?;
    // Σ over faces of D/Δx² where D is 1, on the grid of the case.
    let faces: f64 = spacing.iter().map(|h| 2.0 / (h * h)).sum();
    let rate = model.reaction_rate();
    let limit = largest_diffusivity(fk.stencil, faces, rate, fk.dt);
    if limit <= 0.0 {
        return Err(origins.error(
            "fk.dt",
            format!("{} ms are unstable for the reaction alone", fk.dt),
            format!("set it to less than {:.4}", 2.0 / rate),
        ));
    }
    let given = match fk.diffusivity {
        Some(DiffusivityOptions::Isotropic(d)) => d,
        Some(DiffusivityOptions::Orthotropic { fibre, .. }) => fibre,
        _ => USUAL,
    };
    let slowest = wanted / SLOWEST;
    let along_x = spacing.last().copied().unwrap_or(1.0);
    let cable = Cable {
        fk,
        model,
        spacing: along_x,
        slowest,
    };
    let tuning = tune_diffusivity(
        wanted,
        given.min(limit),
        options.tolerance,
        MOST_EVALUATIONS,
        |d| {
            stop.heed(&Solo)?;
            // No farther than the limit of stability, beyond which a faster wave is not needed.
            let velocity = cable.velocity(d.min(limit), stop)?;
            tracing::info!(
                "D = {:.6} mm²/ms: {}",
                d.min(limit),
                velocity.map_or("no wave".into(), |c| format!("{c:.5} mm/ms"))
            );
            match velocity {
                Some(c) if d > limit && c < wanted * (1.0 - options.tolerance) => {
                    let needed = limit * (wanted / c).powi(2);
                    let dt = largest_dt(fk.stencil, needed * faces, rate);
                    Err(origins.error(
                        "fk.tune.speed",
                        format!(
                            "{wanted} mm/ms need D of about {needed:.3} mm²/ms; steps of {} ms are \
                             stable up to D = {limit:.4}, where the wave runs at {c:.4} mm/ms",
                            fk.dt
                        ),
                        format!(
                            "fk.dt must be at most about {dt:.2e} ms, or the grid coarser"
                        ),
                    ))
                }
                None if d > limit => Err(origins.error(
                    "fk.tune.speed",
                    format!(
                        "no wave runs faster than {slowest} mm/ms, up to D = {limit:.4} mm²/ms where \
                         steps of {} ms become unstable",
                        fk.dt
                    ),
                    "take smaller cells with a smaller fk.dt, or other parameters",
                )),
                velocity => Ok(velocity),
            }
        },
    )?;
    match (tuning.stop, tuning.velocity) {
        (TuningStop::Converged, Some(velocity)) => {
            Ok((tuning.diffusivity.min(limit), velocity, tuning))
        }
        (_, nearest) => Err(origins.error(
            "fk.tune.speed",
            format!(
                "no D conducts at {wanted} mm/ms within {}: {} at D = {:.6} mm²/ms is nearest of {} \
                 tried",
                options.tolerance,
                nearest.map_or("no wave".into(), |c| format!("{c:.5} mm/ms")),
                tuning.diffusivity,
                tuning.evaluations.len()
            ),
            "waves too slow for the cells stand still: take smaller cells, or a larger \
             fk.tune.tolerance",
        )),
    }
}

/// Cell sizes along the axes of the case's grid; x is last.
fn spacing(fk: &FkOptions) -> Result<Vec<f64>> {
    let missing = || Error::Bug("fk.grid was checked to be there".into());
    match fk.grid.as_ref().ok_or_else(missing)? {
        GridOptions::Voxels { voxels } => Ok(io::read_voxels(voxels)?.grid.spacing.to_vec()),
        grid => {
            // Even a single cell has a size, which a cable takes over.
            let axes = grid.dimensions().max(1);
            let spacing = grid.spacing().and_then(|s| s.along(axes));
            spacing.ok_or_else(missing)
        }
    }
}

/// The largest D that is stable with steps of `dt`: the inverse of [`largest_dt`], whose 2/Δt is
/// linear in D.
fn largest_diffusivity(stencil: StencilKind, faces: f64, rate: f64, dt: f64) -> f64 {
    let of_unit = 2.0 / largest_dt(stencil, faces, rate) - rate;
    (2.0 / dt - rate) / of_unit
}

/// What a plane wave runs on.
struct Cable<'a> {
    fk: &'a FkOptions,
    model: &'a Model,
    /// mm.
    spacing: f64,
    /// mm/ms.
    slowest: f64,
}

impl Cable<'_> {
    /// Velocity of a developed wave; `None` where none passes.
    fn velocity(&self, d: f64, stop: &Stop) -> Result<Option<f64>> {
        let fk = self.fk;
        // A front is about √(D · 1 ms) long, and has a few cells at least.
        let fronts = |n: f64, least: usize| ((n * d.sqrt() / self.spacing) as usize).max(least);
        let (clamped, near) = (fronts(10.0, 10), fronts(40.0, 60));
        let (far, length) = (2 * near, 2 * near + fronts(20.0, 20));
        // The seed program's stencil knows only two dimensions.
        let rows = match fk.stencil {
            StencilKind::Flux => 1,
            StencilKind::Cardiax => cardiax::FEWEST,
        };
        let grid = Grid {
            shape: [1, rows, length],
            spacing: [self.spacing; 3],
            origin: [0.0; 3],
            periodic: [false; 3],
            dimensions: if rows == 1 { 1 } else { 2 },
        };
        let tissue = Tissue {
            active: None,
            diffusivity: Diffusivity::Uniform([d, 0.0, 0.0, d, 0.0, d]),
            region: None,
        };
        let clamp = StimulusOptions {
            kind: StimulusKind::Voltage,
            amplitude: 1.0,
            region: Region::All,
            timing: Timing::Plain,
            start: 0.0,
            duration: CLAMP,
            period: None,
            count: None,
        };
        let cells = (0..rows).flat_map(|y| (0..clamped).map(move |x| (y * length + x) as u64));
        let probes = [near, far].map(|x| [0, rows / 2, x]);
        let places = probes.map(|place| grid.centre(place));
        let cells_of_probes = probes.map(|place| grid.cell(place));
        let threshold = fk.record.upstroke().unwrap_or(0.5);
        let simulation = simulation::build(
            &Solo,
            Setup {
                grid,
                tissue: Some(&tissue),
                models: vec![self.model.clone()],
                stencil: fk.stencil,
                integrator: fk.integrator,
                precision: fk.precision,
                dt: fk.dt,
                stimuli: vec![StimulusCells {
                    kind: clamp.kind,
                    amplitude: clamp.amplitude,
                    cells: cells.collect(),
                }],
                schedules: vec![Schedule::new(&clamp, fk.dt)],
                upstrokes: Some(UpstrokeOptions {
                    threshold,
                    keep: 0,
                    apd_level: None,
                }),
                device: None,
                threads: 1,
                level: SimdLevel::detect(),
                steps_per_exchange: None,
                tile: None,
            },
        )?;
        let latest = CLAMP + far as f64 * self.spacing / self.slowest;
        let stride = (5.0 / fk.dt).ceil().max(1.0) as u64;
        let mut step = 0;
        loop {
            simulation.advance(&Solo, step, stride);
            step += stride;
            stop.heed(&Solo)?;
            let (largest, _) = simulation.largest(&Solo);
            if largest > fk.largest_u {
                return Err(Error::Diverged {
                    problem: format!("|u| = {largest:.3e} on the cable with D = {d} mm²/ms"),
                    remedy: "take a smaller fk.dt".into(),
                });
            }
            let arrays = simulation.upstrokes(&Solo);
            let arrays =
                arrays.ok_or_else(|| Error::Bug("upstrokes of the cable are missing".into()))?;
            let [first, last] = cells_of_probes.map(|cell| arrays.first[cell]);
            if last.is_finite() {
                return Ok(conduction_velocity(places[0], first, places[1], last));
            }
            let time = step as f64 * fk.dt;
            let over = time > CLAMP && largest < threshold;
            if over || time > latest {
                return Ok(None);
            }
        }
    }
}
