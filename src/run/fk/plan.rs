//! `--dry-run` of a simulation: its size, memory and files.

use std::path::PathBuf;

use super::memory::{COPIES, COPIES_ON_ROOT, of_upstrokes};
use super::prepare::Prepared;
use crate::eikonal::options::Precision;
use crate::error::Result;
use crate::monodomain::grid::Diffusivity;
use crate::monodomain::layout::layered;
use crate::monodomain::options::FkOptions;
use crate::run::job::Job;
use crate::run::output::FK_CHECKPOINTS;
use crate::run::plan::Plan;

/// Prints what would run, on rank 0. `fields`: u and the gates.
pub fn plan(
    job: &mut Job,
    fk: &FkOptions,
    fields: &[String],
    prepared: Option<&Prepared>,
) -> Result<()> {
    let mut plan = Plan::default();
    if let Some(p) = prepared {
        let cells = p.grid.cells() as u64;
        let active = match &p.tissue.active {
            None => cells,
            Some(active) => active.iter().filter(|a| **a).count() as u64,
        };
        let number = match fk.precision {
            Precision::F32 => 4,
            Precision::F64 => 8,
        };
        let shape: Vec<String> = p.grid.file_shape().iter().map(usize::to_string).collect();
        plan.step("grid", shape.join(" x "));
        plan.step("active cells", active);
        plan.step("steps", fk.step_count().unwrap_or(0));
        plan.step("ranks", job.comm.size());
        plan.step("threads per rank", job.threads);
        let ranks = job.comm.size() as u64;
        // u twice, the gates, weights of pairs where D varies (of listed blocks three times); some
        // ghosts.
        let uniform = matches!(
            p.tissue.diffusivity,
            Diffusivity::Uniform([_, 0.0, 0.0, _, 0.0, _])
        );
        let weights = match (uniform, p.tissue.active.is_some()) {
            (true, false) => 0,
            (true, true) => 4,
            (false, false) => 9,
            (false, true) => 27,
        };
        let per_cell = number * (fields.len() as u64 + 1 + weights) * 5 / 4;
        let shape = layered(&p.grid, p.grid.shape);
        let on_root = shape.iter().product::<usize>() as u64 * (number + 8);
        // Of all cells, tissue or not.
        let recorded = cells.saturating_mul(of_upstrokes(fk));
        let own = active / ranks * per_cell + (recorded / ranks).saturating_mul(COPIES);
        let on_root = on_root.saturating_add(recorded.saturating_mul(COPIES_ON_ROOT));
        let of_rank = |r| own.saturating_add(if r == 0 { on_root } else { 0 });
        plan.memory_per_rank = (0..ranks)
            .map(|r| of_rank(r).saturating_add(20 << 20))
            .collect();
    }
    let mut files = job.case.output.files("fk", false);
    if fk.bridge.is_some() {
        files.extend(job.case.output.files("activation", true));
    }
    plan.files = files
        .iter()
        .map(String::as_str)
        .chain(["config.toml", "report.json"])
        .map(|name| job.folder.join(name))
        .collect::<Vec<PathBuf>>();
    plan.refused = job
        .check_output(Some(FK_CHECKPOINTS))
        .err()
        .map(|e| e.to_string());
    job.print_plan(&plan)
}
