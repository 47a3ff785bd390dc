//! `isochrone mesh generate | convert | info | check | fibres | refine | partition | voxelize`, on rank
//! 0 alone.

use std::path::{Path, PathBuf};

use super::mesh_fibres;
use crate::cli::{GenerateArgs, MeshCommand, MeshFile, MeshFiles};
use crate::comm::{Communicator, agree};
use crate::config::{MeshOrigin, load};
use crate::error::{Error, Result};
use crate::io::{write_parted, write_voxels};
use crate::mesh::TetMesh;
use crate::mesh::check::{Finding, check as findings_of, fix, indices_are_in_range};
use crate::mesh::formats::carp_data::{is_called, read_dat, write_dat, write_times};
use crate::mesh::formats::{attach_fibres, output_format, read, read_unverified, write};
use crate::mesh::quality::Info;
use crate::mesh::refine::refine as refine_once;
use crate::monodomain::options::Spacing;
use crate::monodomain::voxelize::{three_spacings, voxelize};
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
        MeshCommand::Convert { files, data, field } => {
            let output = &files.output;
            if is_called(output, "dat") {
                refuse_any_of(std::slice::from_ref(output), files.overwrite)?;
                let mesh = with_data(&files.input, data)?;
                write_field(&mesh, field.as_deref(), &files.input.input, output)?
            } else {
                free(files)?;
                if field.is_some() {
                    return Err(Error::Usage {
                        problem: format!("--field with {}", output.display()),
                        remedy: "name an OUT.dat, which holds one field; a mesh gets all".into(),
                    });
                }
                convert(&files.input, data, output)?
            }
        }
        MeshCommand::Info { file } => info(file)?,
        MeshCommand::Check {
            file,
            fix,
            overwrite,
        } => {
            if let Some(output) = fix {
                refuse_existing(output, *overwrite)?;
            }
            let checked = check(file, fix.as_deref())?;
            super::print(&checked.text)?;
            return checked.error.map_or(Ok(()), Err);
        }
        MeshCommand::Fibres(args) => {
            free(&args.files)?;
            mesh_fibres::fibres(args)?
        }
        MeshCommand::Refine { files } => {
            free(files)?;
            refine(&files.input, 1, &files.output)?
        }
        MeshCommand::Partition {
            files,
            parts,
            domains,
        } => {
            free(files)?;
            let mut mesh = load_mesh(&files.input)?;
            mesh.parts = Some(crate::partition::vertex_parts(&mesh, *parts)?);
            if let Some(count) = domains {
                mesh.domains = Some(crate::partition::material_domains(&mesh, *count)?);
            }
            match output_format(&files.output)?.name() {
                "HDF5" => write_parted(&mesh, *parts, &files.output)?,
                _ => write(&mesh, &files.output)?,
            }
            let domains = mesh.domains.iter().zip(*domains);
            written(&mesh, &files.output)
                + &balance(mesh.parts.iter().flatten(), *parts, "parts", "vertices")
                + &domains
                    .map(|(of, count)| balance(of.iter(), count, "domains", "tetrahedra"))
                    .collect::<String>()
        }
        MeshCommand::Voxelize {
            input,
            output,
            spacing,
            overwrite,
        } => {
            let xdmf = voxel_files(output)?;
            refuse_any_of(&[output.clone(), xdmf], *overwrite)?;
            voxels_of(input, spacing, output)?
        }
    };
    super::print(&text)
}

/// The format must be written; files that are there, any of them, are written over only on demand.
fn refuse_existing(output: &Path, overwrite: bool) -> Result<()> {
    refuse_any_of(&output_format(output)?.files(output), overwrite)
}

pub(super) fn refuse_any_of(files: &[PathBuf], overwrite: bool) -> Result<()> {
    match files.iter().find(|file| file.exists()) {
        Some(file) if !overwrite => Err(Error::Usage {
            problem: format!("{} is there already", file.display()),
            remedy: "choose another name, or give --overwrite".into(),
        }),
        _ => Ok(()),
    }
}

/// The mesh, verified, with the fibres of another file where one is given.
pub(super) fn load_mesh(file: &MeshFile) -> Result<TetMesh> {
    let mut mesh = read(&file.input, file.unit)?;
    if let Some(fibres) = &file.fibres {
        attach_fibres(&mut mesh, fibres, file.unit)?;
    }
    Ok(mesh)
}

fn free(files: &MeshFiles) -> Result<()> {
    refuse_existing(&files.output, files.overwrite)
}

fn generate(args: &GenerateArgs) -> Result<String> {
    args.validate()?;
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

/// Vertices per part, tetrahedra per domain: least, mean, most.
fn balance<'a>(
    of: impl Iterator<Item = &'a u32>,
    count: usize,
    groups: &str,
    members: &str,
) -> String {
    let mut sizes = vec![0usize; count];
    for &group in of {
        sizes[group as usize] += 1;
    }
    let (least, most) = (sizes.iter().min(), sizes.iter().max());
    let mean = sizes.iter().sum::<usize>() / count.max(1);
    format!(
        "{count} {groups} of {} to {} {members} (mean {mean})\n",
        least.unwrap_or(&0),
        most.unwrap_or(&0)
    )
}

/// Reads `input`, adds the fields `data` (name, `.dat` file), and writes it as `output`, in mm
/// (CARP: µm).
pub fn convert(input: &MeshFile, data: &[(String, String)], output: &Path) -> Result<String> {
    let mesh = with_data(input, data)?;
    write(&mesh, output)?;
    Ok(written(&mesh, output))
}

/// The mesh with further values of its vertices.
fn with_data(input: &MeshFile, data: &[(String, String)]) -> Result<TetMesh> {
    for (i, (name, file)) in data.iter().enumerate() {
        let usage = |problem: String, remedy: &str| {
            Err(Error::Usage {
                problem: format!("--data {name}={file}: {problem}"),
                remedy: remedy.into(),
            })
        };
        if !is_called(Path::new(file), "dat") {
            let remedy = "give a .dat of openCARP's: the values of a vertex per line";
            return usage("is no .dat file".into(), remedy);
        }
        if data[..i].iter().any(|(other, _)| other == name) {
            return usage(
                format!("{name} is given twice"),
                "give each a name of its own",
            );
        }
    }
    let mut mesh = load_mesh(input)?;
    for (name, file) in data {
        let path = Path::new(file);
        let field = read_dat(path)?;
        let (rows, n) = (field.values.len() / field.components, mesh.vertex_count());
        if rows != n {
            let problem = format!("{rows} lines for {n} vertices");
            let remedy = "give the values of this very mesh, a line per vertex";
            return Err(Error::bad_file(path, "file", problem, remedy));
        }
        if mesh.point_fields.insert(name.clone(), field).is_some() {
            let input = input.input.display();
            tracing::warn!("--data {name}={file}: takes the place of {name} in {input}");
        }
    }
    Ok(mesh)
}

/// Writes the values of the vertices called `name`, or the only ones there are, of the mesh in
/// `input`, as `output`.
fn write_field(mesh: &TetMesh, name: Option<&str>, input: &Path, output: &Path) -> Result<String> {
    let fields = &mesh.point_fields;
    if fields.is_empty() {
        return Err(Error::bad_file(
            input,
            "fields",
            format!(
                "the vertices have no values that {} could hold",
                output.display()
            ),
            "give a mesh or result with values on its vertices, or some with --data",
        ));
    }
    let chosen = match name {
        Some(name) => fields.get_key_value(name),
        None => fields.first_key_value().filter(|_| fields.len() == 1),
    };
    let Some((name, field)) = chosen else {
        let names: Vec<&str> = fields.keys().map(String::as_str).collect();
        return Err(Error::Usage {
            problem: match name {
                Some(name) => format!("--field {name}: the vertices have no such values"),
                None => format!(
                    "{} holds one field, and the vertices have several: which?",
                    output.display()
                ),
            },
            remedy: format!("give --field with one of {}", names.join(", ")),
        });
    };
    match name.as_str() {
        "activation_time" => write_times(output, &field.values)?,
        _ => write_dat(output, field)?,
    }
    let n = mesh.vertex_count();
    Ok(format!(
        "{}: {name} of {n} vertices written\n",
        output.display()
    ))
}

/// Counts, sizes, quality, tags and components of `file`.
pub fn info(file: &MeshFile) -> Result<String> {
    let info = Info::of(&load_mesh(file)?)?;
    Ok(format!("{}\n{info}", file.input.display()))
}

/// Outcome of [`check`].
pub struct Checked {
    /// The report to print.
    pub text: String,
    /// The errors that remain, in a word.
    pub error: Option<Error>,
}

/// Every defect of `file`; with `mended`, writes what `--fix` can mend there and reports what is
/// left. Where mending would tear a hole nothing is written and the error says why.
pub fn check(file: &MeshFile, mended: Option<&Path>) -> Result<Checked> {
    let mut mesh = read_unverified(&file.input, file.unit)?;
    if let Some(fibres) = &file.fibres
        && indices_are_in_range(&mesh)
    {
        attach_fibres(&mut mesh, fibres, file.unit)?;
    }
    let findings = findings_of(&mesh);
    let mut text = report(&file.input, &findings);
    let errors = |path: &Path, findings: &[Finding], problem: &str, remedy: &str| {
        (findings.iter().any(|f| f.is_error))
            .then(|| Error::bad_data(path.display().to_string(), problem, remedy))
    };
    let Some(output) = mended else {
        let remedy = "mend them, with --fix OUT where that is offered";
        let error = errors(
            &file.input,
            &findings,
            "the mesh has errors (above)",
            remedy,
        );
        return Ok(Checked { text, error });
    };
    let error = match fix(&mesh) {
        Err(error) => Some(error),
        Ok(mesh) => {
            let findings = findings_of(&mesh);
            write(&mesh, output)?;
            text += &format!("{}\n{}", written(&mesh, output), report(output, &findings));
            let problem = "errors that cannot be mended safely remain (above)";
            errors(output, &findings, problem, "correct the mesh by hand")
        }
    };
    Ok(Checked { text, error })
}

/// Refines `input` `times` times, each tetrahedron into eight.
pub fn refine(input: &MeshFile, times: u32, output: &Path) -> Result<String> {
    let mut mesh = load_mesh(input)?;
    for _ in 0..times {
        mesh = refine_once(&mesh)?;
    }
    write(&mesh, output)?;
    Ok(written(&mesh, output))
}

/// The XDMF file beside the voxels in `output`, whose name must be one of HDF5.
fn voxel_files(output: &Path) -> Result<PathBuf> {
    let extension = output.extension().unwrap_or_default().to_ascii_lowercase();
    if extension == "h5" || extension == "hdf5" {
        return Ok(output.with_extension("xdmf"));
    }
    Err(Error::Usage {
        problem: format!("{}: voxels are written as HDF5", output.display()),
        remedy: "choose a name that ends in .h5".into(),
    })
}

/// Voxelises `input` and writes `output`, with what became of its volume.
pub fn voxels_of(input: &MeshFile, spacing: &Spacing, output: &Path) -> Result<String> {
    let voxels = voxelize(&load_mesh(input)?, three_spacings(spacing)?)?;
    write_voxels(&voxels, output)?;
    let ([nz, ny, nx], [dz, dy, dx]) = (voxels.grid.shape, voxels.grid.spacing);
    let (active, cells) = (voxels.cells.len(), voxels.grid.cells());
    let (volume, of_mesh) = (voxels.volume(), voxels.mesh_volume);
    Ok(format!(
        "{}: {nz} × {ny} × {nx} cells (z, y, x) of {dz} × {dy} × {dx} mm written\n\
         {active} cells in the tissue, {:.1} % of the box\n\
         {volume:.6} mm³ in cells, {of_mesh:.6} mm³ in the mesh ({:+.3} %)\n",
        output.display(),
        100.0 * active as f64 / cells as f64,
        100.0 * (volume / of_mesh - 1.0)
    ))
}

pub(super) fn written(mesh: &TetMesh, output: &Path) -> String {
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
