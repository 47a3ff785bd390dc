//! The restitution curve of a cell without tissue.

use super::{level, threshold, unanswered};
use crate::error::Result;
use crate::monodomain::conduction::RestitutionPoint;
use crate::monodomain::options::{FkOptions, RestitutionOptions};
use crate::monodomain::single_cell::{self, Pacing, Repolarisation};

/// The curve of a cell without tissue, in f64.
pub(super) fn on_a_cell(
    fk: &FkOptions,
    options: &RestitutionOptions,
) -> Result<Vec<RestitutionPoint>> {
    let s1 = Pacing {
        start: 0.0,
        period: options.s1_period,
        duration: options.duration,
        amplitude: options.amplitude,
        beats: options.s1_count as usize,
    };
    let curve = single_cell::restitution(
        &fk.parameters.of(&fk.model)?,
        fk.integrator,
        fk.dt,
        fk.largest_u,
        &s1,
        &options.s2.values(),
        Repolarisation::Fraction(level(fk)),
    )?;
    if curve.s1.peak < threshold(fk) {
        return Err(unanswered(format!(
            "S1 makes no action potential: u reaches {:.3}, less than {}",
            curve.s1.peak,
            threshold(fk)
        )));
    }
    // A stimulus that is not answered leaves a small peak with a duration of its own.
    let point = |p: single_cell::RestitutionPoint| {
        let answered = p.peak >= threshold(fk);
        RestitutionPoint {
            interval: p.interval,
            diastolic_interval: p.diastolic_interval.filter(|rest| answered && *rest >= 0.0),
            apd: p.apd.filter(|_| answered),
            velocity: None,
        }
    };
    Ok(curve.points.into_iter().map(point).collect())
}
