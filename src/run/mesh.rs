//! `isochrone mesh generate | convert | info | check | refine | partition`, on rank 0 alone.

use std::path::Path;

use crate::cli::{GenerateArgs, MeshCommand, MeshFiles};
use crate::comm::{Communicator, agree};
use crate::config::{MeshOrigin, load};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::check::{Finding, check as findings_of, fix};
use crate::mesh::formats::{read, read_unverified, write};
use crate::mesh::quality::Info;
use crate::mesh::refine::refine as refine_once;
use crate::units::LengthUnit;

/// Runs the command. Collective.
pub fn run(command: &MeshCommand, comm: &dyn Communicator) -> Result<()> {
    let done = if comm.rank() == 0 {
        on_root(command)
    } else {
        Ok(())
    };
    agree(comm, done)
}

fn on_root(command: &MeshCommand) -> Result<()> {
    let text = match command {
        MeshCommand::Generate(args) => generate(args)?,
        MeshCommand::Convert { files } => {
            free(files)?;
            convert(&files.input.input, files.input.unit, &files.output)?
        }
        MeshCommand::Info { file } => info(&file.input, file.unit)?,
        MeshCommand::Check {
            file,
            fix,
            overwrite,
        } => {
            if let Some(output) = fix {
                refuse_existing(output, *overwrite)?;
            }
            let checked = check(&file.input, file.unit, fix.as_deref())?;
            super::print(&checked.text)?;
            if !checked.is_sound {
                let what = file.input.display().to_string();
                return Err(Error::bad_data(
                    what,
                    "the mesh has errors (above)",
                    "mend them, with --fix OUT where that is offered",
                ));
            }
            return Ok(());
        }
        MeshCommand::Refine { files } => {
            free(files)?;
            refine(&files.input.input, files.input.unit, 1, &files.output)?
        }
        MeshCommand::Partition {
            files,
            parts,
            domains,
        } => {
            free(files)?;
            let mut mesh = read(&files.input.input, files.input.unit)?;
            mesh.parts = Some(crate::partition::vertex_parts(&mesh, *parts)?);
            if let Some(count) = domains {
                mesh.domains = Some(crate::partition::material_domains(&mesh, *count)?);
            }
            write(&mesh, &files.output)?;
            written(&mesh, &files.output) + &balance(&mesh, *parts)
        }
    };
    super::print(&text)
}

/// An output that is there is written over only on demand.
fn refuse_existing(output: &Path, overwrite: bool) -> Result<()> {
    if overwrite || !output.exists() {
        return Ok(());
    }
    Err(Error::Usage {
        problem: format!("{} is there already", output.display()),
        remedy: "choose another name, or give --overwrite".into(),
    })
}

fn free(files: &MeshFiles) -> Result<()> {
    refuse_existing(&files.output, files.overwrite)
}

fn generate(args: &GenerateArgs) -> Result<String> {
    refuse_existing(&args.output, args.overwrite)?;
    let case = load(&args.inputs())?;
    let input = case.mesh()?;
    let MeshOrigin::Generate(generator) = &input.origin else {
        return Err(Error::Bug("mesh generate without a generator".into()));
    };
    let unit = input.unit.unwrap_or(LengthUnit::Mm).in_mm();
    let mesh = crate::mesh::generate::generate(generator, unit)?;
    write(&mesh, &args.output)?;
    Ok(written(&mesh, &args.output))
}

/// Vertices per part: least, mean, most.
fn balance(mesh: &TetMesh, parts: usize) -> String {
    let mut sizes = vec![0usize; parts];
    for part in mesh.parts.iter().flatten() {
        sizes[*part as usize] += 1;
    }
    let (least, most) = (sizes.iter().min(), sizes.iter().max());
    let mean = mesh.vertex_count() / parts.max(1);
    format!(
        "{parts} parts of {} to {} vertices (mean {mean})\n",
        least.unwrap_or(&0),
        most.unwrap_or(&0)
    )
}

/// Reads `input` (coordinates in `unit`) and writes it as `output`, in mm (CARP: µm).
pub fn convert(input: &Path, unit: Option<LengthUnit>, output: &Path) -> Result<String> {
    let mesh = read(input, unit)?;
    write(&mesh, output)?;
    Ok(written(&mesh, output))
}

/// Counts, sizes, quality, tags and components of `file`.
pub fn info(file: &Path, unit: Option<LengthUnit>) -> Result<String> {
    let info = Info::of(&read(file, unit)?)?;
    Ok(format!("{}\n{info}", file.display()))
}

/// Outcome of [`check`].
pub struct Checked {
    /// The report to print.
    pub text: String,
    /// Whether no error remains; otherwise the exit code is 65.
    pub is_sound: bool,
}

/// Every defect of `file`; with `mended`, writes what `--fix` can mend there and reports what is left.
pub fn check(file: &Path, unit: Option<LengthUnit>, mended: Option<&Path>) -> Result<Checked> {
    let mut mesh = read_unverified(file, unit)?;
    let mut findings = findings_of(&mesh);
    let mut text = report(file, &findings);
    if let Some(output) = mended {
        mesh = fix(&mesh);
        findings = findings_of(&mesh);
        write(&mesh, output)?;
        text += &format!("{}\n{}", written(&mesh, output), report(output, &findings));
    }
    Ok(Checked {
        text,
        is_sound: !findings.iter().any(|f| f.is_error),
    })
}

/// Refines `input` `times` times, each tetrahedron into eight.
pub fn refine(input: &Path, unit: Option<LengthUnit>, times: u32, output: &Path) -> Result<String> {
    let mut mesh = read(input, unit)?;
    for _ in 0..times {
        mesh = refine_once(&mesh)?;
    }
    write(&mesh, output)?;
    Ok(written(&mesh, output))
}

fn written(mesh: &crate::mesh::TetMesh, output: &Path) -> String {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    format!("{}: {n} points, {m} tetrahedra written\n", output.display())
}

fn report(file: &Path, findings: &[Finding]) -> String {
    if findings.is_empty() {
        return format!("{}: nothing to mend\n", file.display());
    }
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    format!("{}:\n{}\n", file.display(), lines.join("\n"))
}
