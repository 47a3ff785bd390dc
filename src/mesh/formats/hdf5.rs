//! Our own mesh layout in HDF5; a result file is a mesh file too.
//!
//! ```text
//! /mesh/points           f64 (n,3), attribute unit = um | mm | cm | m (none: mm)
//! /mesh/tetrahedra       u32 or u64 (m,4), numbered from 0
//! /mesh/tags             i32 (m)       optional, none: 0
//! /mesh/fibres, sheets   f64 (m,3)     optional, unit vectors
//! /mesh/velocity_tensor  f64 (m,6)     optional, mm²/ms², xx xy xz yy yz zz
//! /mesh/domains          u32 (m)       optional
//! /mesh/parts            u32 (n)       optional
//! /fields/NAME           numbers (n), (n,c), (m) or (m,c); attribute on = points | tetrahedra
//! ```
//! Without `on`, a field lies on the points where its length is n, else on the tetrahedra.
//! Other sizes of float and integer are converted; integers that do not fit are refused.

use std::path::Path;

use hdf5::types::FixedAscii;
use hdf5::{Dataset, File, Group, H5Type};

use super::hdf5_source::Source;
use super::{FileMesh, MeshFormat};
use crate::atomic_file::replace;
use crate::error::{Error, Result};
use crate::mesh::{Field, TetMesh};

pub struct Hdf5;

impl MeshFormat for Hdf5 {
    fn name(&self) -> &'static str {
        "HDF5"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["h5", "hdf5"]
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let file = open_file(
            path,
            "it may be truncated or of another format; make or copy it again",
        )?;
        read_group(&file, path)
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        write_with(mesh, path, |_| Ok(()))
    }

    fn writes(&self) -> bool {
        true
    }
}

/// Writes a mesh file, with what `more` adds to it.
pub fn write_with(
    mesh: &TetMesh,
    path: &Path,
    more: impl FnOnce(&Group) -> Result<()>,
) -> Result<()> {
    replace(path, |beside| {
        let file = create_file(beside).map_err(|e| write_error(path, &e))?;
        write_group(mesh, &file, path)?;
        write_fields(mesh, &file, path)?;
        more(&file)?;
        file.close().map_err(|e| write_error(path, &e))
    })
}

/// Opens a file to be read.
///
/// # Errors
/// [`Error::MissingInput`]; [`Error::Io`] where it cannot be read, or where another program has it
/// open to write; [`Error::BadFile`] with `remedy` where it is not HDF5 or damaged.
pub fn open_file(path: &Path, remedy: &str) -> Result<File> {
    std::fs::File::open(path).map_err(|e| Error::io(path, "read", &e))?;
    if path.is_dir() {
        let remedy = "give an .h5 file, maybe one in it";
        return Err(Error::bad_file(path, "file", "is a folder", remedy));
    }
    File::open(path).map_err(|e| {
        let said = reason(&e);
        let in_use = if said.contains("unable to lock file") {
            "another program has it open to write; wait for that, close it there, or, where the \
             file system cannot lock, set HDF5_USE_FILE_LOCKING=FALSE"
        } else if said.contains("already open for write") {
            "another program has it open to write, or died while it had; wait for that, or make \
             the file again (`h5clear -s` forgets who had it open)"
        } else {
            ""
        };
        if !in_use.is_empty() {
            return Error::Io {
                path: path.to_owned(),
                action: "read".into(),
                cause: in_use.into(),
            };
        }
        Error::bad_file(
            path,
            "file",
            format!("not a readable HDF5 file ({said})"),
            remedy,
        )
    })
}

/// First line of what HDF5 says.
pub(super) fn reason(e: &hdf5::Error) -> String {
    let text = e.to_string();
    text.lines().next().unwrap_or("no reason given").to_owned()
}

/// Error of writing to `path`: HDF5 says what it could not do, and deep in its stack why.
pub fn write_error(path: &Path, e: &hdf5::Error) -> Error {
    let mut cause = reason(e);
    for frame in e.stack().iter().flat_map(|s| s.iter()) {
        if let Some((_, after)) = frame.desc().split_once("error message = '") {
            cause = after.split('\'').next().unwrap_or(after).to_string();
        }
    }
    Error::Io {
        path: path.to_owned(),
        action: "write".into(),
        cause,
    }
}

/// A new HDF5 file with the layout of HDF5 1.10, whose metadata carry checksums: the library then
/// notices damage, where it may crash on damaged metadata of older layouts.
///
/// Not locked: a child process would inherit the lock and keep it after the file is closed, and not
/// every cluster's file system has locks. Nobody else writes to a file under its name while partial.
pub fn create_file(path: &Path) -> hdf5::Result<File> {
    (File::with_options().with_fapl(|access| access.libver_v110().file_locking(false))).create(path)
}

/// Reads `/mesh` and `/fields` of an open file; `path` names it in errors.
pub fn read_group(root: &Group, path: &Path) -> Result<FileMesh> {
    let bad =
        |place: &str, problem: String, remedy: &str| Error::bad_file(path, place, problem, remedy);
    if !root.link_exists("mesh") {
        let remedy = "a mesh file has /mesh/points and /mesh/tetrahedra";
        return Err(bad("/mesh", "is missing".into(), remedy));
    }
    let group = root
        .group("mesh")
        .map_err(|e| bad("/mesh", reason(&e), "the file may be damaged"))?;
    let open = |name: &str| Source::open(&group, "/mesh", name, path);
    let need = |name: &str| {
        open(name)?.ok_or_else(|| {
            let remedy = "a mesh file has /mesh/points and /mesh/tetrahedra";
            bad(&format!("/mesh/{name}"), "is missing".into(), remedy)
        })
    };

    let points = need("points")?;
    let unit = points.length_unit()?;
    let points = points.floats::<3>(None)?;
    let n = points.len();
    if n > u32::MAX as usize {
        let problem = format!("{n} points");
        return Err(bad(
            "/mesh/points",
            problem,
            "at most 4294967295 are possible",
        ));
    }
    let tetrahedra = need("tetrahedra")?.integers::<u32, 4>(None)?;
    let m = tetrahedra.len();
    let cells = Some((m, "tetrahedra"));
    let flat = |v: Vec<[u32; 1]>| v.into_flattened();

    let mut mesh = TetMesh::new(points, tetrahedra);
    if let Some(d) = open("tags")? {
        mesh.tags = d.integers::<i32, 1>(cells)?.into_flattened();
    }
    let fibres = match open("fibres")? {
        Some(d) => Some(d),
        None => open("fibers")?,
    };
    mesh.fibres = fibres.map(|d| d.floats(cells)).transpose()?;
    mesh.sheets = open("sheets")?.map(|d| d.floats(cells)).transpose()?;
    mesh.velocity_tensor = match open("velocity_tensor")? {
        Some(d) => {
            let factor = d.tensor_unit()?;
            let mut tensors = d.floats::<6>(cells)?;
            if factor != 1.0 {
                tensors
                    .as_flattened_mut()
                    .iter_mut()
                    .for_each(|x| *x *= factor);
            }
            Some(tensors)
        }
        None => None,
    };
    mesh.domains = (open("domains")?.map(|d| d.integers(cells)).transpose()?).map(flat);
    let vertices = Some((n, "points"));
    mesh.parts = (open("parts")?.map(|d| d.integers(vertices)).transpose()?).map(flat);
    read_fields(root, path, &mut mesh)?;
    Ok(FileMesh { mesh, unit })
}

/// Every numeric dataset of `/fields` whose length is that of the points or the tetrahedra.
fn read_fields(root: &Group, path: &Path, mesh: &mut TetMesh) -> Result<()> {
    if !root.link_exists("fields") {
        return Ok(());
    }
    let damaged =
        |e: hdf5::Error| Error::bad_file(path, "/fields", reason(&e), "the file may be damaged");
    let group = root.group("fields").map_err(damaged)?;
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    for name in group.member_names().map_err(damaged)? {
        if group.dataset(&name).is_err() {
            continue; // A group, or a link to elsewhere: not ours.
        }
        let Some(source) = Source::open(&group, "/fields", &name, path)? else {
            continue;
        };
        let (length, components) = match *source.shape() {
            [length] => (length, 1),
            [length, components] if components > 0 => (length, components),
            _ => continue,
        };
        let on_points = match source.text("on")?.as_deref() {
            Some("points") => true,
            Some("tetrahedra") => false,
            _ => length == n,
        };
        if !source.is_number() || length != if on_points { n } else { m } {
            continue;
        }
        let values = source.all_floats(length * components)?;
        let field = Field { components, values };
        if on_points {
            mesh.point_fields.insert(name, field);
        } else {
            mesh.cell_fields.insert(name, field);
        }
    }
    Ok(())
}

/// Writes `/mesh` into an open file, without the further fields; `path` names it in errors.
pub fn write_group(mesh: &TetMesh, root: &Group, path: &Path) -> Result<()> {
    let group = (root.create_group("mesh")).map_err(|e| write_error(path, &e))?;
    let to = Target {
        group: &group,
        path,
    };
    to.array("points", &mesh.points, "unit", "mm")?;
    to.array("tetrahedra", &mesh.tetrahedra, "unit", "1")?;
    if mesh.tags.iter().any(|&t| t != 0) {
        to.list("tags", &mesh.tags)?;
    }
    if let Some(fibres) = &mesh.fibres {
        to.array("fibres", fibres, "unit", "1")?;
    }
    if let Some(sheets) = &mesh.sheets {
        to.array("sheets", sheets, "unit", "1")?;
    }
    if let Some(tensors) = &mesh.velocity_tensor {
        to.array("velocity_tensor", tensors, "unit", "mm2/ms2")?;
    }
    if let Some(domains) = &mesh.domains {
        to.list("domains", domains)?;
    }
    if let Some(parts) = &mesh.parts {
        to.list("parts", parts)?;
    }
    Ok(())
}

/// Writes the further fields of `mesh` as `/fields`.
fn write_fields(mesh: &TetMesh, root: &Group, path: &Path) -> Result<()> {
    if mesh.point_fields.is_empty() && mesh.cell_fields.is_empty() {
        return Ok(());
    }
    let group = (root.create_group("fields")).map_err(|e| write_error(path, &e))?;
    let to = Target {
        group: &group,
        path,
    };
    for (name, field) in &mesh.point_fields {
        to.field(name, field, "points")?;
    }
    for (name, field) in &mesh.cell_fields {
        to.field(name, field, "tetrahedra")?;
    }
    Ok(())
}

struct Target<'a> {
    group: &'a Group,
    path: &'a Path,
}

impl Target<'_> {
    fn put<T: H5Type>(
        &self,
        name: &str,
        shape: &[usize],
        values: &[T],
        attribute: (&str, &str),
    ) -> Result<()> {
        let failed = |e: hdf5::Error| write_error(self.path, &e);
        let dataset = self
            .group
            .new_dataset::<T>()
            .shape(shape)
            .create(name)
            .map_err(failed)?;
        dataset.write_raw(values).map_err(failed)?;
        put_text(&dataset, attribute.0, attribute.1).map_err(failed)
    }

    fn array<T: H5Type, const C: usize>(
        &self,
        name: &str,
        values: &[[T; C]],
        attribute: &str,
        text: &str,
    ) -> Result<()> {
        let flat = values.as_flattened();
        self.put(name, &[values.len(), C], flat, (attribute, text))
    }

    fn list<T: H5Type>(&self, name: &str, values: &[T]) -> Result<()> {
        self.put(name, &[values.len()], values, ("unit", "1"))
    }

    /// HDF5 takes "/" for a path; such a name, or one taken already, is changed.
    fn field(&self, name: &str, field: &Field, on: &str) -> Result<()> {
        let mut name = name.replace(['/', '\0'], "_");
        if name.is_empty() || name == "." {
            name = "field".into();
        }
        while self.group.link_exists(&name) {
            name.push_str("_on_");
            name.push_str(on);
        }
        let rows = field.values.len() / field.components.max(1);
        let shape = [rows, field.components];
        let shape = &shape[..if field.components == 1 { 1 } else { 2 }];
        self.put(&name, shape, &field.values, ("on", on))
    }
}

/// Text of fixed length: variable length would lie in a heap without checksums.
pub fn put_text(dataset: &Dataset, name: &str, text: &str) -> hdf5::Result<()> {
    let text = FixedAscii::<16>::from_ascii(text)
        .map_err(|e| hdf5::Error::from(format!("attribute {name}: {e}")))?;
    dataset
        .new_attr::<FixedAscii<16>>()
        .create(name)?
        .write_scalar(&text)
}
