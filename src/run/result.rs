//! The result file of a command: what every command writes, and what it adds.

use std::time::Instant;

use super::job::Job;
use super::model::{Model, Root};
use super::output::Output;
use crate::comm::agree;
use crate::config::{OutputFormat, OutputOptions};
use crate::error::Result;
use crate::io::{Centre, Companions, ResultFile};
use crate::mesh::formats::carp_data::write_times;

/// The files for other programs that `output.formats` asks for.
pub fn companions(output: &OutputOptions) -> Companions {
    Companions {
        xdmf: output.has(OutputFormat::Xdmf),
        vtkhdf: output.has(OutputFormat::Vtkhdf),
    }
}

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
        file.companions(companions(&job.case.output));
        file.mesh(&root.mesh)?;
        file.field("/fields/activation_time", Centre::Vertices, 1, phi, "ms")?;
        add(&mut file, root)?;
        file.provenance(&provenance.texts)?;
        for (name, number) in &provenance.numbers {
            file.number("/", name, *number)?;
        }
        if job.case.output.has(OutputFormat::Dat) {
            write_times(&output.path(name).with_extension("dat"), phi)?;
        }
        file.finish()
    };
    agree(job.comm, model.root.as_ref().map_or(Ok(()), write))?;
    job.report.add_time("io", begun.elapsed());
    Ok(())
}
