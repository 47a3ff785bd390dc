//! The state of a simulation in checkpoints.

use std::path::PathBuf;

use super::divergence::ms;
use super::record::Recorders;
use crate::comm::{Communicator, agree, broadcast_json};
use crate::config::Case;
use crate::error::{Error, Result};
use crate::io::{Checkpoint, CheckpointWriter, Fingerprint, Segments};
use crate::monodomain::activation::UpstrokeArrays;
use crate::monodomain::simulation::{Simulation, Values};
use crate::sha256;
use crate::simd::SimdLevel;

/// All that a resumed run must have in common with the first.
pub fn fingerprint(case: &Case, inputs: &[PathBuf]) -> Result<Fingerprint> {
    let bug = |e: serde_json::Error| Error::Bug(format!("case: {e}"));
    let mut value = serde_json::to_value(case).map_err(bug)?;
    if let Some(sections) = value.as_object_mut() {
        // Of the whole case, a simulation uses its own section, the mesh and its domains.
        sections.retain(|name, _| ["fk", "mesh", "domains"].contains(&name.as_str()));
    }
    if let Some(fk) = value["fk"].as_object_mut() {
        // How long, and how the work is cut: neither changes a bit of what was computed.
        for key in ["duration", "steps", "steps_per_exchange", "tile", "bridge"] {
            fk.remove(key);
        }
    }
    let inputs = inputs
        .iter()
        .map(|path| Ok((path.clone(), sha256::of_file(path)?)))
        .collect::<Result<_>>()?;
    Ok(Fingerprint {
        case: value,
        inputs,
    })
}

/// Where checkpoints go, and of what run they are, on rank 0.
pub struct Checkpoints {
    pub folder: PathBuf,
    pub fingerprint: Fingerprint,
    pub keep: usize,
}

/// Writes a checkpoint after `step` steps. Collective.
pub fn save(
    comm: &dyn Communicator,
    simulation: &dyn Simulation,
    recorders: &mut Recorders,
    checkpoints: Option<&Checkpoints>,
    fields: &[String],
    step: u64,
    time: f64,
) -> Result<()> {
    let kept = agree(comm, recorders.keep())?;
    let begun = checkpoints.zip(kept).map(|(to, (segments, kept))| {
        let fingerprint = to.fingerprint.clone();
        let mut file = CheckpointWriter::begin(&to.folder, step, time, segments, fingerprint)?;
        file.json("tracker", &kept)?;
        file.json("simd", &SimdLevel::detect().name())?;
        Ok((file, to.keep))
    });
    let mut file = agree(comm, begun.transpose())?;
    for (number, name) in fields.iter().enumerate() {
        let values = simulation.gather(comm, number);
        let written = match (&mut file, &values) {
            (Some((file, _)), Some(Values::F32(v))) => file.array(name, &[v.len()], v),
            (Some((file, _)), Some(Values::F64(v))) => file.array(name, &[v.len()], v),
            _ => Ok(()),
        };
        agree(comm, written)?;
    }
    let upstrokes = simulation.upstrokes(comm);
    simulation.failure(comm)?;
    let written = match (file, upstrokes) {
        (Some((mut file, keep)), upstrokes) => (|| {
            if let Some(arrays) = &upstrokes {
                for (name, values) in named(arrays) {
                    file.array(name, &[values.len()], values)?;
                }
                file.array("upstroke_count", &[arrays.count.len()], &arrays.count)?;
            }
            file.finish(keep)
        })(),
        (None, _) => Ok(()),
    };
    agree(comm, written)
}

fn named(arrays: &UpstrokeArrays) -> [(&'static str, &Vec<f64>); 5] {
    [
        ("upstroke_first", &arrays.first),
        ("upstroke_last", &arrays.last),
        ("upstroke_kept", &arrays.kept),
        ("upstroke_apd", &arrays.apd),
        ("upstroke_peak", &arrays.peak),
    ]
}

/// Where a run goes on from.
pub struct Resumed {
    pub step: u64,
    pub segments: Segments,
    pub kept: Option<super::record::Kept>,
}

impl Resumed {
    /// A run that begins.
    pub fn nowhere() -> Self {
        Self {
            step: 0,
            segments: Segments::default(),
            kept: None,
        }
    }
}

/// Refuses a checkpoint that lies behind the end of the run, `end` steps of `dt` ms.
pub fn before_end(checkpoint: &Checkpoint, case: &Case, end: u64, dt: f64) -> Result<()> {
    if checkpoint.step() <= end {
        return Ok(());
    }
    let key = if case.origins.given("fk.steps") {
        "fk.steps"
    } else {
        "fk.duration"
    };
    let (reached, asked) = (ms(checkpoint.step(), dt), ms(end, dt));
    Err(case.origins.error(
        key,
        format!(
            "the checkpoint {} is at {reached} ms, later than {key} ends the run, {asked} ms",
            checkpoint.path().display()
        ),
        format!("set fk.duration to {reached} ms or more, or start again with --overwrite"),
    ))
}

/// Warns where the rest of the run is computed at another SIMD level, with other last bits.
fn compare_simd(checkpoint: &Checkpoint) -> Result<()> {
    if !checkpoint.has("simd") {
        return Ok(());
    }
    let (then, now): (String, _) = (checkpoint.json("simd")?, SimdLevel::detect().name());
    if then != now {
        tracing::warn!(
            "run.simd: the checkpoint was computed with {then}, this run goes on with {now}: last \
             bits may differ from those of a run that was never stopped"
        );
    }
    Ok(())
}

/// Brings a simulation into the state of a checkpoint, given on rank 0. Collective.
pub fn restore(
    comm: &dyn Communicator,
    simulation: &dyn Simulation,
    checkpoint: Option<&Checkpoint>,
    fields: &[String],
    cells: usize,
    double: bool,
) -> Result<Resumed> {
    for (number, name) in fields.iter().enumerate() {
        let read = checkpoint.map(|file| {
            Ok(if double {
                Values::F64(file.array(name, &[cells])?)
            } else {
                Values::F32(file.array(name, &[cells])?)
            })
        });
        let values = agree(comm, read.transpose())?;
        simulation.scatter(comm, number, values.as_ref());
    }
    let has_upstrokes = broadcast_json(
        comm,
        0,
        (comm.rank() == 0).then(|| checkpoint.is_some_and(|file| file.has("upstroke_count"))),
    )?;
    if has_upstrokes {
        let read = checkpoint.map(|file| {
            let floats = |name: &str, each: usize| file.array::<f64>(name, &[cells * each]);
            let each = |name: &str| file.len(name).map(|n| n / cells);
            Ok(UpstrokeArrays {
                first: floats("upstroke_first", 1)?,
                last: floats("upstroke_last", 1)?,
                count: file.array("upstroke_count", &[cells])?,
                kept: floats("upstroke_kept", each("upstroke_kept")?)?,
                apd: floats("upstroke_apd", each("upstroke_apd")?)?,
                peak: floats("upstroke_peak", each("upstroke_peak")?)?,
            })
        });
        let arrays = agree(comm, read.transpose())?;
        agree(comm, simulation.restore_upstrokes(comm, arrays.as_ref()))?;
    }
    let step = broadcast_json(
        comm,
        0,
        (comm.rank() == 0).then(|| checkpoint.map_or(0, Checkpoint::step)),
    )?;
    let kept = checkpoint.map(|file| {
        compare_simd(file)?;
        file.json("tracker")
    });
    Ok(Resumed {
        step,
        segments: checkpoint.map_or_else(Segments::default, |file| file.segments().clone()),
        kept: agree(comm, kept.transpose())?,
    })
}
