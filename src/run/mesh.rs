//! `isochrone mesh convert | info | check | refine`: what they do, as text to print.

use std::path::Path;

use crate::error::Result;
use crate::mesh::check::{Finding, check as findings_of, fix};
use crate::mesh::formats::{read, read_unverified, write};
use crate::mesh::quality::Info;
use crate::mesh::refine::refine as refine_once;
use crate::units::LengthUnit;

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
