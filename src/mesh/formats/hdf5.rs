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

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5::{Dataset, File, Group, H5Type};

use super::hdf5_heap::check_global_heaps;
use super::{FileMesh, MeshFormat, replace};
use crate::error::{Error, Result};
use crate::mesh::{Field, TetMesh};
use crate::units::LengthUnit;

/// Deflate stores at most about 1030 bytes in one; more cannot be honest data.
const MOST_COMPRESSION: u64 = 1100;

pub struct Hdf5;

impl MeshFormat for Hdf5 {
    fn name(&self) -> &'static str {
        "HDF5"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["h5", "hdf5"]
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        std::fs::File::open(path).map_err(|e| Error::io(path, "read", &e))?;
        let file = File::open(path).map_err(|e| {
            Error::bad_file(
                path,
                "file",
                format!("not a readable HDF5 file ({})", reason(&e)),
                "the file may be truncated or of another format; make or copy it again",
            )
        })?;
        read_group(&file, path)
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        replace(path, |beside| {
            let file = create_file(beside).map_err(|e| write_error(path, &e))?;
            write_group(mesh, &file, path)?;
            write_fields(mesh, &file, path)?;
            file.close().map_err(|e| write_error(path, &e))
        })
    }

    fn writes(&self) -> bool {
        true
    }
}

/// First line of what HDF5 says.
fn reason(e: &hdf5::Error) -> String {
    let text = e.to_string();
    text.lines().next().unwrap_or("no reason given").to_owned()
}

fn write_error(path: &Path, e: &hdf5::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        action: "write".into(),
        cause: reason(e),
    }
}

/// A new HDF5 file with the layout of HDF5 1.10, whose metadata carry checksums: the library then
/// notices damage, where it may crash on damaged metadata of older layouts.
pub fn create_file(path: &Path) -> hdf5::Result<File> {
    (File::with_options().with_fapl(|access| access.libver_v110())).create(path)
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
        let (length, components) = match source.shape[..] {
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

/// A dataset to read, with its place for errors.
struct Source<'a> {
    dataset: Dataset,
    shape: Vec<usize>,
    kind: TypeDescriptor,
    place: String,
    path: &'a Path,
}

impl<'a> Source<'a> {
    /// `None` where the group has no such name.
    fn open(group: &Group, parent: &str, name: &str, path: &'a Path) -> Result<Option<Self>> {
        let place = format!("{parent}/{name}");
        if !group.link_exists(name) {
            return Ok(None);
        }
        let bad = |problem: String| {
            Error::bad_file(
                path,
                format!("dataset {place}"),
                problem,
                "the file may be damaged",
            )
        };
        let dataset = group.dataset(name).map_err(|e| bad(reason(&e)))?;
        let shape = dataset.get_shape().map_err(|e| bad(reason(&e)))?;
        let kind = dataset
            .dtype()
            .and_then(|t| t.to_descriptor())
            .map_err(|e| bad(reason(&e)))?;
        Ok(Some(Self {
            dataset,
            shape,
            kind,
            place,
            path,
        }))
    }

    fn bad(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::bad_file(
            self.path,
            format!("dataset {}", self.place),
            problem,
            remedy,
        )
    }

    fn is_number(&self) -> bool {
        use TypeDescriptor::{Boolean, Float, Integer, Unsigned};
        matches!(self.kind, Integer(_) | Unsigned(_) | Float(_) | Boolean)
    }

    /// Number of rows of shape (rows, C), or (rows) for C = 1; `rows` is what it must be.
    fn rows<const C: usize>(&self, rows: Option<(usize, &str)>) -> Result<usize> {
        let count = match self.shape[..] {
            [count] if C == 1 => count,
            [count, c] if c == C => count,
            _ => {
                let shape = if C == 1 {
                    "(rows)".into()
                } else {
                    format!("(rows,{C})")
                };
                let problem = format!("has the shape {:?}, not {shape}", self.shape);
                return Err(self.bad(problem, "store one row per entity"));
            }
        };
        match rows {
            Some((expected, of)) if expected != count => Err(self.bad(
                format!("has {count} rows for {expected} {of}"),
                "the counts must agree; make the file again",
            )),
            _ => Ok(count),
        }
    }

    /// Refuses to allocate for numbers that the file cannot hold.
    fn holds(&self, numbers: usize) -> Result<()> {
        if !self.is_number() {
            let problem = format!("holds {} instead of numbers", self.kind);
            return Err(self.bad(problem, "store floats or integers"));
        }
        let bytes = (numbers as u64).saturating_mul(self.kind.size() as u64);
        if bytes > self.dataset.storage_size().saturating_mul(MOST_COMPRESSION) {
            return Err(self.bad(
                format!(
                    "claims {bytes} bytes and stores {}",
                    self.dataset.storage_size()
                ),
                "the file is damaged or was never filled; make it again",
            ));
        }
        Ok(())
    }

    fn fill<T: H5Type + Copy>(&self, into: &mut [T]) -> Result<()> {
        self.dataset
            .as_reader()
            .read_into_raw(into)
            .map(|_| ())
            .map_err(|e| self.bad(reason(&e), "the file may be truncated; copy it again"))
    }

    fn floats<const C: usize>(&self, rows: Option<(usize, &str)>) -> Result<Vec<[f64; C]>> {
        let rows = self.rows::<C>(rows)?;
        self.holds(rows.saturating_mul(C))?;
        let mut values = vec![[0.0; C]; rows];
        self.fill(values.as_flattened_mut())?;
        Ok(values)
    }

    fn all_floats(&self, numbers: usize) -> Result<Vec<f64>> {
        self.holds(numbers)?;
        let mut values = vec![0.0; numbers];
        self.fill(&mut values)?;
        Ok(values)
    }

    /// Integers without HDF5's silent clamping of what does not fit.
    fn integers<T, const C: usize>(&self, rows: Option<(usize, &str)>) -> Result<Vec<[T; C]>>
    where
        T: H5Type + Copy + Default + TryFrom<i128>,
    {
        let rows = self.rows::<C>(rows)?;
        self.holds(rows.saturating_mul(C))?;
        let mut values = vec![[T::default(); C]; rows];
        if self.kind == T::type_descriptor() {
            self.fill(values.as_flattened_mut())?;
            return Ok(values);
        }
        let into = values.as_flattened_mut();
        match self.kind {
            TypeDescriptor::Float(_) => self.convert::<f64, T>(into, |x| {
                (x.fract() == 0.0 && x.abs() < 1e18).then_some(x as i128)
            })?,
            TypeDescriptor::Unsigned(_) => self.convert::<u64, T>(into, |x| Some(x.into()))?,
            _ => self.convert::<i64, T>(into, |x| Some(x.into()))?,
        }
        Ok(values)
    }

    /// Reads as `S`, a block of rows at a time to keep memory low.
    fn convert<S: H5Type + Copy + Default + std::fmt::Display, T: TryFrom<i128>>(
        &self,
        into: &mut [T],
        exact: impl Fn(S) -> Option<i128>,
    ) -> Result<()> {
        const BLOCK: usize = 1 << 18;
        let columns = self.shape.get(1).copied().unwrap_or(1);
        for (block, into) in into.chunks_mut(BLOCK * columns).enumerate() {
            let rows = block * BLOCK..block * BLOCK + into.len() / columns;
            let read = if self.shape.len() == 1 {
                (self.dataset.read_slice_1d::<S, _>(rows)).map(|a| a.into_raw_vec_and_offset().0)
            } else {
                (self.dataset.read_slice_2d::<S, _>((rows, ..)))
                    .map(|a| a.into_raw_vec_and_offset().0)
            };
            let read =
                read.map_err(|e| self.bad(reason(&e), "the file may be truncated; copy it again"))?;
            for (i, (to, from)) in into.iter_mut().zip(read).enumerate() {
                *to = exact(from)
                    .and_then(|x| T::try_from(x).ok())
                    .ok_or_else(|| {
                        let row = block * BLOCK + i / columns;
                        let problem = format!("row {row} holds {from}");
                        self.bad(
                            problem,
                            "whole numbers in the range of the dataset are possible",
                        )
                    })?;
            }
        }
        Ok(())
    }

    /// String attribute in whatever way it is stored.
    fn text(&self, name: &str) -> Result<Option<String>> {
        let Ok(attribute) = self.dataset.attr(name) else {
            return Ok(None);
        };
        let kind = attribute.dtype().and_then(|t| t.to_descriptor());
        if !attribute.is_scalar() {
            return Ok(None);
        }
        if let Ok(TypeDescriptor::VarLenUnicode | TypeDescriptor::VarLenAscii) = kind {
            check_global_heaps(self.path)?;
        }
        let bytes = match kind {
            Ok(TypeDescriptor::VarLenUnicode) => {
                (attribute.read_scalar::<VarLenUnicode>()).map(|s| s.as_bytes().to_vec())
            }
            Ok(TypeDescriptor::VarLenAscii) => {
                (attribute.read_scalar::<VarLenAscii>()).map(|s| s.as_bytes().to_vec())
            }
            Ok(TypeDescriptor::FixedAscii(_)) => {
                (attribute.read_scalar::<FixedAscii<64>>()).map(|s| s.as_bytes().to_vec())
            }
            Ok(TypeDescriptor::FixedUnicode(_)) => {
                (attribute.read_scalar::<FixedUnicode<64>>()).map(|s| s.as_bytes().to_vec())
            }
            _ => return Ok(None),
        };
        match bytes {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Err(e) => {
                let problem = format!("attribute {name}: {}", reason(&e));
                Err(self.bad(problem, "the file may be damaged; copy it again"))
            }
        }
    }

    fn length_unit(&self) -> Result<Option<LengthUnit>> {
        match self.text("unit")?.as_deref() {
            None => Ok(None),
            Some("um" | "µm" | "μm") => Ok(Some(LengthUnit::Um)),
            Some("mm") => Ok(Some(LengthUnit::Mm)),
            Some("cm") => Ok(Some(LengthUnit::Cm)),
            Some("m") => Ok(Some(LengthUnit::M)),
            Some(other) => {
                let problem = format!("its unit is {other:?}");
                Err(self.bad(problem, "um, mm, cm and m are known"))
            }
        }
    }

    /// Factor to mm²/ms².
    fn tensor_unit(&self) -> Result<f64> {
        match self.text("unit")?.as_deref() {
            None | Some("mm2/ms2" | "mm²/ms²" | "mm^2/ms^2" | "m2/s2" | "m²/s²" | "m^2/s^2") => {
                Ok(1.0)
            }
            Some("cm2/ms2" | "cm²/ms²" | "cm^2/ms^2") => Ok(100.0),
            Some(other) => {
                let problem = format!("its unit is {other:?}");
                Err(self.bad(problem, "store the velocity tensor in mm2/ms2"))
            }
        }
    }
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
fn put_text(dataset: &Dataset, name: &str, text: &str) -> hdf5::Result<()> {
    let text = FixedAscii::<16>::from_ascii(text)
        .map_err(|e| hdf5::Error::from(format!("attribute {name}: {e}")))?;
    dataset
        .new_attr::<FixedAscii<16>>()
        .create(name)?
        .write_scalar(&text)
}
