//! The result file of a command: what every command writes, and what it adds.

use std::time::Instant;

use super::job::Job;
use super::model::{Model, Root};
use super::output::Output;
use crate::comm::agree;
use crate::error::Result;
use crate::io::{Centre, ResultFile};

/// Writes `name` on rank 0: the mesh, the activation times `phi` of its vertices, what `add` adds,
/// and provenance. Collective; `phi` and `add` count on rank 0 only.
pub fn write(
    job: &mut Job,
    output: &Output,
    model: &Model,
    name: &str,
    phi: &[f64],
    add: impl FnOnce(&mut ResultFile, &Root) -> Result<()>,
) -> Result<()> {
    let begun = Instant::now();
    let inputs = model.root.as_ref().map_or(&[][..], |root| &root.inputs);
    let provenance = job.provenance(inputs)?;
    let write = |root: &Root| {
        let mut file = ResultFile::create(&output.path(name))?;
        file.mesh(&root.mesh)?;
        file.field("/fields/activation_time", Centre::Vertices, 1, phi, "ms")?;
        add(&mut file, root)?;
        file.provenance(&provenance.texts)?;
        for (name, number) in &provenance.numbers {
            file.number("/", name, *number)?;
        }
        file.finish()
    };
    agree(job.comm, model.root.as_ref().map_or(Ok(()), write))?;
    job.report.add_time("io", begun.elapsed());
    Ok(())
}
