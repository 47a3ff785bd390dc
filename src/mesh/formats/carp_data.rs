//! openCARP's text files beside a mesh: `.vtx` lists of vertices, `.dat` values of vertices.
//!
//! ```text
//! .vtx   count, then "intra" or "extra" (may be missing), then a vertex number per line, from 0
//! .dat   a row per vertex: a number, or several; activation times: -1 where no wave came
//! ```

use std::path::Path;

use super::lines::{lines, read_bytes, text_file, whole};
use super::numbers::parse;
use crate::error::{Error, Result};
use crate::mesh::Field;

/// Time of a vertex that was never activated.
pub const NEVER: f64 = -1.0;

/// Whether the name ends in `.vtx`, `.dat`, ….
pub fn is_called(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// Vertices of a list, in its order, for a mesh with `n`.
///
/// # Errors
/// [`Error::BadFile`] with the line: no number, a vertex that the mesh does not have or that came
/// before, more or fewer than the first line says, or none at all.
pub fn read_vtx(path: &Path, n: usize) -> Result<Vec<u32>> {
    let bytes = read_bytes(path)?;
    let mut lines = lines(path, &bytes);
    let count = lines.count("vertices")?;
    if count == 0 {
        let remedy = "a list holds at least one: their number, then a number per line, from 0";
        return Err(lines.bad("the list has 0 vertices", remedy));
    }
    let mut seen = vec![false; n];
    let mut vertices = Vec::new();
    while vertices.len() < count {
        let mut words = lines.row(vertices.len(), count, "vertices")?;
        let word = words.next();
        if vertices.is_empty() && matches!(word, Some(b"intra" | b"extra")) {
            continue;
        }
        let vertex: u32 = whole(word).ok_or_else(|| {
            let word = String::from_utf8_lossy(word.unwrap_or_default()).into_owned();
            lines.bad(
                format!("{word:.40?} is no vertex"),
                "give a number per line, from 0",
            )
        })?;
        match seen.get_mut(vertex as usize) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => {
                let problem = format!("vertex {vertex} is there twice");
                return Err(lines.bad(problem, "name every vertex once"));
            }
            None => {
                let problem = format!("vertex {vertex} is not in the mesh of {n} vertices");
                return Err(lines.bad(problem, "give the list of this mesh, numbered from 0"));
            }
        }
        vertices.push(vertex);
    }
    lines.end(count, "vertices")?;
    Ok(vertices)
}

/// Writes a list of vertices.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_vtx(path: &Path, vertices: &[u32]) -> Result<()> {
    let file = text_file(path, |out| {
        writeln!(out, "{}\nintra", vertices.len())?;
        vertices.iter().try_for_each(|v| writeln!(out, "{v}"))
    })?;
    file.complete()
}

/// The rows of a file of values, all of as many numbers as the first.
///
/// # Errors
/// [`Error::BadFile`] with the line where there is something else than numbers, or no row at all.
pub fn read_dat(path: &Path) -> Result<Field> {
    let bytes = read_bytes(path)?;
    let mut lines = lines(path, &bytes);
    let mut field = Field {
        components: 0,
        values: Vec::new(),
    };
    while let Some(words) = lines.next() {
        let before = field.values.len();
        for word in words {
            field.values.push(parse(word).ok_or_else(|| {
                let word = String::from_utf8_lossy(word).into_owned();
                lines.bad(
                    format!("{word:.40?} is no number"),
                    "give the numbers of a vertex per line",
                )
            })?);
        }
        let components = field.values.len() - before;
        if before == 0 {
            field.components = components;
        } else if components != field.components {
            let problem = format!(
                "{components} numbers, {} in the lines above",
                field.components
            );
            return Err(lines.bad(problem, "the file may be truncated; copy it again"));
        }
    }
    if field.values.is_empty() {
        let remedy = "give a number per line, one for each vertex";
        return Err(Error::bad_file(path, "file", "has no numbers", remedy));
    }
    Ok(field)
}

/// Writes a row per vertex.
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_dat(path: &Path, field: &Field) -> Result<()> {
    let file = text_file(path, |out| {
        for row in field.values.chunks(field.components.max(1)) {
            let words: Vec<String> = row.iter().map(f64::to_string).collect();
            writeln!(out, "{}", words.join(" "))?;
        }
        Ok(())
    })?;
    file.complete()
}

/// Writes activation times (ms, +∞ where no wave came).
///
/// # Errors
/// [`Error::Io`] with the path.
pub fn write_times(path: &Path, phi: &[f64]) -> Result<()> {
    let values = phi.iter().map(|&t| if t.is_finite() { t } else { NEVER });
    let field = Field {
        components: 1,
        values: values.collect(),
    };
    write_dat(path, &field)
}

/// Activation times, NaN where no wave came.
///
/// # Errors
/// Those of [`read_dat`]; [`Error::BadFile`] where a row has several numbers.
pub fn read_times(path: &Path) -> Result<Vec<f64>> {
    let field = read_dat(path)?;
    if field.components != 1 {
        let problem = format!("{} numbers per line", field.components);
        let remedy = "give one time per line";
        return Err(Error::bad_file(path, "line 1", problem, remedy));
    }
    let times = field.values.into_iter();
    Ok(times
        .map(|t| if t == NEVER { f64::NAN } else { t })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_text(text: &str, test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, text).unwrap();
        test(&path);
    }

    #[test]
    fn lists_of_vertices() {
        for text in [
            "3\nintra\n4\n0\n2\n",
            "3\r\n4\r\n0\r\n2",
            "3\nextra\n4 # apex\n0\n2\n",
        ] {
            with_text(text, |path| {
                assert_eq!(read_vtx(path, 5).unwrap(), [4, 0, 2])
            });
        }
        with_text("", |path| {
            write_vtx(path, &[4, 0, 2]).unwrap();
            assert_eq!(
                std::fs::read_to_string(path).unwrap(),
                "3\nintra\n4\n0\n2\n"
            );
        });
        for (text, words) in [
            ("", ["line 0", "count"]),
            ("0\n", ["line 1", "0 vertices"]),
            ("0\nintra\n", ["line 1", "0 vertices"]),
            ("3\nintra\n4\n0\n", ["ends after 2 of 3", "truncated"]),
            ("999999999999\nintra\n4\n", ["line 1", "truncated"]),
            (
                "2\nintra\n4\n5\n",
                ["line 4", "vertex 5 is not in the mesh of 5"],
            ),
            ("2\nintra\n4\n4\n", ["line 4", "twice"]),
            ("2\nintra\n4\n-1\n", ["line 4", "\"-1\" is no vertex"]),
            ("1\n4\n3\n", ["line 3", "more lines"]),
        ] {
            with_text(text, |path| {
                let said = read_vtx(path, 5).unwrap_err();
                assert_eq!(said.exit_code(), 65);
                let said = said.to_string();
                assert!(words.iter().all(|w| said.contains(w)), "{text:?}: {said}");
            });
        }
    }

    #[test]
    fn times_that_no_wave_reached() {
        with_text("", |path| {
            write_times(path, &[0.0, 1.5, f64::INFINITY, 0.1 + 0.2]).unwrap();
            let text = std::fs::read_to_string(path).unwrap();
            assert_eq!(text, "0\n1.5\n-1\n0.30000000000000004\n");
            let times = read_times(path).unwrap();
            assert!(times[2].is_nan());
            assert_eq!((times[1], times[3]), (1.5, 0.1 + 0.2));
        });
        for (text, words) in [
            ("1\n2\nx\n", ["line 3", "\"x\" is no number"]),
            ("1 2\n3\n", ["line 2", "1 numbers, 2 in the lines above"]),
            ("1 2\n3 4\n", ["line 1", "2 numbers per line"]),
            ("\n\n", ["no numbers", "for each vertex"]),
        ] {
            with_text(text, |path| {
                let said = read_times(path).unwrap_err().to_string();
                assert!(words.iter().all(|w| said.contains(w)), "{text:?}: {said}");
            });
        }
    }
}
