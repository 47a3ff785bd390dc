//! CARP text meshes (openCARP): `.pts` coordinates, `.elem` elements with tags, `.lon` fibres.
//!
//! ```text
//! .pts   n, then "x y z" per point (µm unless stated otherwise)
//! .elem  m, then "Tt a b c d [tag]" per element; other types are skipped with a count
//! .lon   1 or 2, then a fibre, or a fibre and a sheet vector per element; the file may be absent
//! ```
//! Any of the three names, or the base name alone, stands for the mesh. Fields, domains and tensors are not written.

use std::path::{Path, PathBuf};

use super::lines::{lines, read_bytes, text_file, whole};
use super::{FileMesh, MeshFormat};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::Vec3;
use crate::units::LengthUnit;

pub struct Carp;

impl MeshFormat for Carp {
    fn name(&self) -> &'static str {
        "CARP"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["pts", "elem", "lon"]
    }

    fn default_unit(&self) -> LengthUnit {
        LengthUnit::Um
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let points = read_points(&path.with_extension("pts"))?;
        let (mut mesh, cells, elements) = read_elements(&path.with_extension("elem"))?;
        mesh.points = points;
        let lon = path.with_extension("lon");
        if lon.exists() {
            (mesh.fibres, mesh.sheets) = read_directions(&lon, elements, &cells)?;
        }
        Ok(FileMesh { mesh, unit: None })
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        let lost = mesh.velocity_tensor.is_some()
            || mesh.domains.is_some()
            || mesh.parts.is_some()
            || !(mesh.point_fields.is_empty() && mesh.cell_fields.is_empty());
        if lost {
            tracing::warn!(
                "{}: CARP files hold points, tags and fibres only; the rest is left out",
                path.display()
            );
        }
        let um = |x: f64| x / LengthUnit::Um.in_mm();
        let points = text_file(&path.with_extension("pts"), |out| {
            writeln!(out, "{}", mesh.vertex_count())?;
            for [x, y, z] in mesh.points.iter().map(|p| p.map(um)) {
                writeln!(out, "{x} {y} {z}")?;
            }
            Ok(())
        })?;
        let lon = path.with_extension("lon");
        let directions = if let Some(fibres) = &mesh.fibres {
            let partial = text_file(&lon, |out| {
                writeln!(out, "{}", 1 + usize::from(mesh.sheets.is_some()))?;
                for (t, [x, y, z]) in fibres.iter().enumerate() {
                    write!(out, "{x} {y} {z}")?;
                    if let Some([x, y, z]) = mesh.sheets.as_ref().and_then(|s| s.get(t)) {
                        write!(out, " {x} {y} {z}")?;
                    }
                    writeln!(out)?;
                }
                Ok(())
            })?;
            Some(partial)
        } else {
            None
        };
        let elements = text_file(&path.with_extension("elem"), |out| {
            writeln!(out, "{}", mesh.tetrahedron_count())?;
            for ([a, b, c, d], tag) in mesh.tetrahedra.iter().zip(&mesh.tags) {
                writeln!(out, "Tt {a} {b} {c} {d} {tag}")?;
            }
            Ok(())
        })?;
        // All three are on the disk before the first gets its name.
        let has_directions = directions.is_some();
        for partial in [Some(points), directions, Some(elements)]
            .into_iter()
            .flatten()
        {
            partial.complete()?;
        }
        // Fibres of the mesh that was there belong to no tetrahedron of this one.
        if !has_directions && lon.exists() {
            std::fs::remove_file(&lon).map_err(|e| Error::io(&lon, "remove the old", &e))?;
        }
        Ok(())
    }

    fn files(&self, path: &Path) -> Vec<PathBuf> {
        ["pts", "elem", "lon"]
            .map(|extension| path.with_extension(extension))
            .to_vec()
    }

    fn writes(&self) -> bool {
        true
    }
}

fn read_points(path: &Path) -> Result<Vec<Vec3>> {
    let bytes = read_bytes(path)?;
    let mut lines = lines(path, &bytes);
    let n = lines.count("points")?;
    let mut points = Vec::with_capacity(n);
    for p in 0..n {
        let words = lines.row(p, n, "points")?;
        points.push(lines.floats(words)?);
    }
    lines.end(n, "points")?;
    Ok(points)
}

/// Tetrahedra with tags, their numbers among the elements, and the number of elements.
fn read_elements(path: &Path) -> Result<(TetMesh, Vec<usize>, usize)> {
    let bytes = read_bytes(path)?;
    let mut lines = lines(path, &bytes);
    let m = lines.count("elements")?;
    let mut mesh = TetMesh::default();
    let mut cells = Vec::new();
    for element in 0..m {
        let mut words = lines.row(element, m, "elements")?;
        match words.next() {
            Some(b"Tt") => {}
            Some(b"Ln" | b"cH" | b"Tr" | b"Qd" | b"Py" | b"Pr" | b"Oc" | b"Hx") => continue,
            other => {
                let name = String::from_utf8_lossy(other.unwrap_or_default()).into_owned();
                let problem = format!("{name:?} is no type of element");
                return Err(lines.bad(problem, "tetrahedra are called Tt"));
            }
        }
        let mut vertices = [0u32; 4];
        for v in &mut vertices {
            *v = whole(words.next()).ok_or_else(|| {
                let remedy = "a tetrahedron is \"Tt a b c d tag\", numbered from 0";
                lines.bad("no four vertex numbers", remedy)
            })?;
        }
        let tag = match words.next() {
            None => 0,
            word => whole(word)
                .ok_or_else(|| lines.bad("the tag is no 32-bit number", "correct the tag"))?,
        };
        mesh.tetrahedra.push(vertices);
        mesh.tags.push(tag);
        cells.push(element);
    }
    lines.end(m, "elements")?;
    if cells.is_empty() {
        let problem = format!("none of the {m} elements is a tetrahedron (Tt)");
        let remedy = "give a volume mesh of linear tetrahedra";
        return Err(Error::bad_file(path, "elements", problem, remedy));
    }
    if cells.len() < m {
        tracing::warn!(
            "{}: {} elements that are not tetrahedra skipped",
            path.display(),
            m - cells.len()
        );
    }
    Ok((mesh, cells, m))
}

type Directions = Option<Vec<Vec3>>;

/// Fibres, and sheets where the file has them, of the elements `cells` out of `elements`.
pub(super) fn read_directions(
    path: &Path,
    elements: usize,
    cells: &[usize],
) -> Result<(Directions, Directions)> {
    let bytes = read_bytes(path)?;
    let mut lines = lines(path, &bytes);
    let vectors = match lines.count("vectors per element") {
        Ok(v @ (1 | 2)) => v,
        _ => {
            let problem = "no number of vectors per element";
            return Err(lines.bad(problem, "the first line of a .lon file is 1 or 2"));
        }
    };
    let mut fibres = Vec::with_capacity(cells.len());
    let mut sheets = Vec::new();
    let mut wanted = cells.iter().peekable();
    for element in 0..elements {
        let words = lines.row(element, elements, "elements")?;
        if wanted.next_if_eq(&&element).is_none() {
            continue;
        }
        if vectors == 1 {
            fibres.push(lines.floats(words)?);
        } else {
            let [a, b, c, x, y, z] = lines.floats(words)?;
            fibres.push([a, b, c]);
            sheets.push([x, y, z]);
        }
    }
    lines.end(elements, "elements")?;
    Ok((Some(fibres), (vectors == 2).then_some(sheets)))
}
