//! The result of a simulation: final state, what was recorded of every cell, and the activation
//! times at the vertices of a mesh.

use std::time::Instant;

use super::prepare::Prepared;
use super::record::{Recorders, blank};
use crate::comm::agree;
use crate::config::OutputOptions;
use crate::error::Result;
use crate::io::ResultFile;
use crate::monodomain::activation::UpstrokeArrays;
use crate::monodomain::bridge::sample;
use crate::monodomain::conduction::conduction_velocity;
use crate::monodomain::options::FkOptions;
use crate::monodomain::simulation::{Simulation, Values};
use crate::report::Provenance;
use crate::run::bridge;
use crate::run::job::Job;
use crate::run::output::Output;
use crate::run::result::companions;

/// Writes the state of `simulation` after `step` steps and what was recorded until then.
/// `fields`: u and the gates. Collective.
#[allow(clippy::too_many_arguments)]
pub fn write(
    job: &mut Job,
    output: &Output,
    simulation: &dyn Simulation,
    fk: &FkOptions,
    fields: &[String],
    step: u64,
    recorders: Recorders,
    prepared: Option<&Prepared>,
) -> Result<()> {
    let io = Instant::now();
    let comm = job.comm;
    let inputs = prepared.map_or(&[][..], |p| &p.inputs[..]);
    let provenance = job.provenance(inputs)?;
    let state: Vec<Option<Values>> = (0..fields.len())
        .map(|field| simulation.gather(comm, field))
        .collect();
    let upstrokes = simulation.upstrokes(comm);
    simulation.failure(comm)?;
    let time = step as f64 * fk.dt;
    let options = job.case.output.clone();
    let written = match (recorders.into_recording(), prepared) {
        (Some(recording), Some(p)) => recording.finish(|file| {
            file.companions(companions(&options));
            if let Some(active) = &p.tissue.active {
                file.only_cells(active);
            }
            for (name, values) in fields.iter().zip(state) {
                let dataset = format!("/fk/{name}");
                match values {
                    Some(Values::F32(mut values)) => {
                        blank(&mut values, &p.tissue, f32::NAN);
                        file.cell_field(&dataset, &values, "1")?;
                    }
                    Some(Values::F64(mut values)) => {
                        blank(&mut values, &p.tissue, f64::NAN);
                        file.cell_field(&dataset, &values, "1")?;
                    }
                    None => {}
                }
            }
            file.dataset("/fk/time", &[], &[time], "ms")?;
            // Of the cells: z, y, x, and the low corner x, y, z.
            file.dataset("/fk/grid/spacing", &[3], &p.grid.spacing, "mm")?;
            file.dataset("/fk/grid/origin", &[3], &p.grid.origin, "mm")?;
            if let Some(arrays) = &upstrokes {
                write_upstrokes(file, arrays, fk, p)?;
            }
            file.provenance(&provenance.texts)?;
            (provenance.numbers.iter()).try_for_each(|(name, n)| file.number("/", name, *n))
        }),
        _ => Ok(()),
    };
    agree(comm, written)?;
    if let (Some(p), Some(arrays)) = (prepared, &upstrokes) {
        report_activation(job, fk, p, &arrays.first);
    }
    let bridged = match (prepared, &upstrokes) {
        (Some(p), Some(arrays)) => {
            write_bridge(output, p, &arrays.first, time, &provenance, &options)
        }
        _ => Ok(()),
    };
    agree(comm, bridged)?;
    job.report.add_time("io", io.elapsed());
    Ok(())
}

fn write_upstrokes(
    file: &mut ResultFile,
    arrays: &UpstrokeArrays,
    fk: &FkOptions,
    p: &Prepared,
) -> Result<()> {
    file.cell_field("/fk/activation_time", &arrays.first, "ms")?;
    file.cell_field("/fk/last_activation_time", &arrays.last, "ms")?;
    file.cell_field("/fk/activation_count", &arrays.count, "1")?;
    if !arrays.apd.is_empty() {
        file.cell_field("/fk/apd", &arrays.apd, "ms")?;
    }
    if fk.record.activations > 0 {
        let mut shape = p.grid.file_shape().to_vec();
        shape.push(fk.record.activations);
        file.dataset("/fk/activation_times", &shape, &arrays.kept, "ms")?;
    }
    Ok(())
}

/// Activation times at the vertices of the mesh of `fk.bridge`, where there is one.
fn write_bridge(
    output: &Output,
    p: &Prepared,
    first: &[f64],
    end: f64,
    provenance: &Provenance,
    options: &OutputOptions,
) -> Result<()> {
    let Some(mesh) = &p.bridge else {
        return Ok(());
    };
    let active = p.tissue.active.as_deref();
    let times = sample(&p.grid, active, first, &mesh.points, end);
    bridge::write(
        &output.path("activation.h5"),
        mesh,
        &times,
        &provenance.texts,
        options,
    )
}

fn report_activation(job: &mut Job, fk: &FkOptions, p: &Prepared, first: &[f64]) {
    let activated: Vec<f64> = first.iter().copied().filter(|t| t.is_finite()).collect();
    let last = activated.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    job.report.result("activated_cells", activated.len());
    if let (true, Some(threshold)) = (activated.is_empty(), fk.record.upstroke()) {
        let key = "fk.record.activation_threshold";
        let what = format!("no cell was activated: u never rose through {threshold}");
        tracing::warn!("{}", job.case.origins.line(key, &what));
    }
    if last.is_finite() {
        job.report.result("last_activation_ms", last);
    }
    conduction(job, fk, p, first);
}

/// Conduction velocity from the first probe to each other one.
fn conduction(job: &mut Job, fk: &FkOptions, p: &Prepared, first: &[f64]) {
    let place = |probe: &usize| p.grid.centre(p.grid.place(*probe));
    let Some((from, others)) = p.probes.split_first() else {
        return;
    };
    let velocities: Vec<Option<f64>> = others
        .iter()
        .map(|to| {
            let times = (first[*from], first[*to]);
            conduction_velocity(place(from), times.0, place(to), times.1)
        })
        .collect();
    if !velocities.is_empty() && fk.record.upstroke().is_some() {
        job.report
            .result("conduction_velocity_mm_per_ms", velocities);
    }
}
