//! Mesh files: THE list of formats, one file each, and what every reader goes through.
//!
//! A new format is one new file and one line in [`FORMATS`].

use std::path::{Path, PathBuf};

use super::TetMesh;
use crate::error::{Error, Result};
use crate::tensor::Vec3;
use crate::units::LengthUnit;

mod carp;
pub mod carp_data;
mod fibres;
mod gmsh;
mod gmsh_40;
mod gmsh_reader;
mod gmsh_write;
mod grid;
mod hdf5;
mod hdf5_heap;
mod hdf5_source;
mod legacy_vtk;
mod lines;
mod numbers;
mod tetgen;
pub mod vtkhdf;
mod vtu;
mod vtu_data;
mod vtu_write;

pub use fibres::attach_fibres;
pub use hdf5::{
    create_file, open_file, put_text, read_group, write_error, write_group, write_with,
};
pub use hdf5_source::Source as Hdf5Source;

/// THE list of mesh formats.
pub static FORMATS: &[&dyn MeshFormat] = &[
    &hdf5::Hdf5,
    &vtu::Vtu,
    &legacy_vtk::LegacyVtk,
    &carp::Carp,
    &gmsh::Gmsh {
        version: gmsh::Version::Four,
    },
    &gmsh::Gmsh {
        version: gmsh::Version::Two,
    },
    &tetgen::TetGen,
    &vtkhdf::VtkHdf,
];

/// A kind of mesh file.
pub trait MeshFormat: Sync {
    /// Name shown to the user.
    fn name(&self) -> &'static str;
    /// Extensions in lower case without the dot; the first is the usual one.
    fn extensions(&self) -> &'static [&'static str];
    /// Unit of length where neither the file nor the user says one.
    fn default_unit(&self) -> LengthUnit {
        LengthUnit::Mm
    }
    /// The file as it is: coordinates in its own unit, indices and numbers not yet verified.
    fn read(&self, path: &Path) -> Result<FileMesh>;
    /// Writes `mesh` (mm) under `path`; complete or not at all.
    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        let _ = mesh;
        Err(unwritable(
            path,
            &format!("{} files are only read", self.name()),
        ))
    }
    /// Every file that [`MeshFormat::write`] replaces or removes for `path`.
    fn files(&self, path: &Path) -> Vec<PathBuf> {
        vec![path.to_owned()]
    }
    /// Whether [`MeshFormat::write`] works.
    fn writes(&self) -> bool {
        false
    }
}

/// A mesh in the unit of its file.
pub struct FileMesh {
    pub mesh: TetMesh,
    /// Unit that the file itself states.
    pub unit: Option<LengthUnit>,
}

/// "HDF5 (.h5, .hdf5), VTU (.vtu)".
fn list<'a>(formats: impl Iterator<Item = &'a &'a dyn MeshFormat>) -> String {
    formats
        .map(|f| format!("{} (.{})", f.name(), f.extensions().join(", .")))
        .collect::<Vec<_>>()
        .join(", ")
}

fn unwritable(path: &Path, problem: &str) -> Error {
    let formats = list(FORMATS.iter().filter(|f| f.writes()));
    Error::Usage {
        problem: format!("{}: {problem}", path.display()),
        remedy: format!("write one of {formats}"),
    }
}

fn extension_of(path: &Path) -> String {
    path.extension()
        .map(|e| e.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

fn by_extension(extension: &str) -> Option<&'static dyn MeshFormat> {
    FORMATS
        .iter()
        .find(|f| f.extensions().contains(&extension))
        .copied()
}

/// `path`, or `path.pts` where `path` is the base name of a CARP mesh.
fn located(path: &Path) -> PathBuf {
    let mut points = path.as_os_str().to_owned();
    points.push(".pts");
    let points = PathBuf::from(points);
    let is_base = by_extension(&extension_of(path)).is_none() && !path.is_file();
    if is_base && points.is_file() {
        points
    } else {
        path.to_owned()
    }
}

/// The format of a mesh to be read: its extension says it, or it is the base name of a CARP mesh.
///
/// # Errors
/// [`Error::BadFile`] where no format has the extension.
pub fn format_of(path: &Path) -> Result<&'static dyn MeshFormat> {
    let extension = extension_of(&located(path));
    by_extension(&extension).ok_or_else(|| {
        Error::bad_file(
            path,
            "name",
            format!("no mesh format has the extension {extension:?}"),
            format!("use one of {}", list(FORMATS.iter())),
        )
    })
}

/// The format that a mesh is written in under `path`.
///
/// # Errors
/// [`Error::Usage`] where there is none, or one that is only read.
pub fn output_format(path: &Path) -> Result<&'static dyn MeshFormat> {
    let extension = extension_of(path);
    match by_extension(&extension) {
        Some(format) if format.writes() => Ok(format),
        Some(format) => Err(unwritable(
            path,
            &format!("{} files are only read", format.name()),
        )),
        None => Err(unwritable(
            path,
            &format!("no mesh format has the extension {extension:?}"),
        )),
    }
}

/// Reads a mesh of any format, verified, in mm.
///
/// `unit` is the unit of the file's coordinates where the user stated one. Directions are made
/// unit vectors; the velocity tensor is taken in mm²/ms² whatever the unit of length.
///
/// # Errors
/// [`Error::MissingInput`]; [`Error::BadFile`] where the content is damaged, contradicts itself,
/// holds no tetrahedra, indices out of range or coordinates that are not finite, or where `unit`
/// contradicts the unit in the file.
pub fn read(path: &Path, unit: Option<LengthUnit>) -> Result<TetMesh> {
    let mut mesh = read_unverified(path, unit)?;
    verify(path, &mesh)?;
    let (off, zero) = mesh.normalise_directions();
    if off > 0 {
        tracing::info!("{}: {off} fibre or sheet vectors made unit", path.display());
    }
    if zero > 0 {
        tracing::warn!(
            "{}: {zero} fibre or sheet vectors are zero, not finite, or a sheet along its fibre",
            path.display()
        );
    }
    Ok(mesh)
}

/// Like [`read`], with indices, coordinates and directions as the file has them (for `mesh check`).
///
/// # Errors
/// Those of [`read`], but for what it verifies.
pub fn read_unverified(path: &Path, unit: Option<LengthUnit>) -> Result<TetMesh> {
    let path = &located(path);
    let format = format_of(path)?;
    let length = std::fs::metadata(path)
        .map_err(|e| Error::io(path, "read", &e))?
        .len();
    if length == 0 {
        let remedy = "make or copy the file again";
        return Err(Error::bad_file(path, "file", "is empty", remedy));
    }
    let FileMesh {
        mut mesh,
        unit: stated,
    } = format.read(path)?;
    if let (Some(user), Some(file)) = (unit, stated)
        && user != file
    {
        return Err(Error::bad_file(
            path,
            "unit of the points",
            format!(
                "the file says {}, the configuration or command line {}",
                file.name(),
                user.name()
            ),
            "leave mesh.unit out, or correct the one that is wrong",
        ));
    }
    let factor = unit
        .or(stated)
        .unwrap_or_else(|| format.default_unit())
        .in_mm();
    if factor != 1.0 {
        for x in mesh.points.as_flattened_mut() {
            *x *= factor;
        }
    }
    Ok(mesh)
}

/// Writes a mesh (mm) in the format that the extension of `path` stands for.
///
/// # Errors
/// Those of [`output_format`]; [`Error::Io`] where the file cannot be written.
pub fn write(mesh: &TetMesh, path: &Path) -> Result<()> {
    output_format(path)?.write(mesh, path)
}

/// What no later step could bear: no tetrahedra, indices out of range, points not finite.
fn verify(path: &Path, mesh: &TetMesh) -> Result<()> {
    let bad = |place: String, problem: String, remedy: &str| {
        Err(Error::bad_file(path, place, problem, remedy))
    };
    if mesh.tetrahedra.is_empty() {
        let remedy = "give a volume mesh of linear tetrahedra";
        return bad("cells".into(), "holds no tetrahedra".into(), remedy);
    }
    let n = mesh.vertex_count();
    let wrong = |t: &[u32; 4]| t.iter().any(|&v| v as usize >= n);
    if let Some(t) = mesh.tetrahedra.iter().position(wrong) {
        let count = mesh.tetrahedra.iter().filter(|t| wrong(t)).count();
        return bad(
            format!("tetrahedron {t}"),
            format!(
                "vertices {:?} reach beyond the {n} points ({count} such tetrahedra)",
                mesh.tetrahedra[t]
            ),
            "indices start at 0; the file may be damaged, make it again",
        );
    }
    let infinite = |p: &Vec3| p.iter().any(|x| !x.is_finite());
    if let Some(p) = mesh.points.iter().position(infinite) {
        let count = mesh.points.iter().filter(|p| infinite(p)).count();
        return bad(
            format!("point {p}"),
            format!(
                "coordinates {:?} are not finite ({count} such points)",
                mesh.points[p]
            ),
            "the file may be damaged, make it again",
        );
    }
    Ok(())
}
