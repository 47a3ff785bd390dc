//! Legacy VTK unstructured grids, ascii and binary (big endian), versions 1.0 to 5.1.
//!
//! Cells up to version 4.2 are `size v v v …` lists of int; from 5.0 on OFFSETS and CONNECTIVITY
//! arrays of a named type, with one offset more than there are cells.
//! Recognised arrays: see [`super::grid`]. Layout: VTK's "VTK File Formats" document and
//! `vtkDataReader.cxx`.

use std::path::Path;

use super::grid::{Array, Grid, points_from};
use super::numbers::{Kind, index, parse};
use super::{FileMesh, MeshFormat};
use crate::error::{Error, Result};

pub struct LegacyVtk;

impl MeshFormat for LegacyVtk {
    fn name(&self) -> &'static str {
        "legacy VTK"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["vtk"]
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let mesh = read_grid(path)?.into_mesh(path)?;
        Ok(FileMesh { mesh, unit: None })
    }
}

/// Everything in the file, which need not have cells.
pub fn read_grid(path: &Path) -> Result<Grid> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", &e))?;
    let mut reader = Reader {
        path,
        rest: &bytes,
        line: 0,
        binary: false,
        new_cells: false,
    };
    reader.grid()
}

/// Where the arrays that follow belong.
#[derive(Clone, Copy, PartialEq)]
enum On {
    DataSet,
    Points(usize),
    Cells(usize),
}

struct Reader<'a> {
    path: &'a Path,
    rest: &'a [u8],
    /// Lines passed; counts line feeds in binary data too, as editors do.
    line: usize,
    binary: bool,
    /// Version 5 or later.
    new_cells: bool,
}

impl<'a> Reader<'a> {
    fn bad(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::bad_file(self.path, format!("line {}", self.line), problem, remedy)
    }

    fn damaged(&self, problem: impl Into<String>) -> Error {
        let remedy = "the file may be damaged or truncated; make or copy it again";
        self.bad(problem, remedy)
    }

    /// The next line without its end; `None` at the end of the file.
    fn any_line(&mut self) -> Option<String> {
        if self.rest.is_empty() {
            return None;
        }
        let end = (self.rest.iter().position(|&b| b == b'\n')).unwrap_or(self.rest.len());
        let line = String::from_utf8_lossy(&self.rest[..end]).trim().to_owned();
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        self.line += 1;
        Some(line)
    }

    /// The next line that is not blank.
    fn next_line(&mut self) -> Option<String> {
        loop {
            let line = self.any_line()?;
            if !line.is_empty() {
                return Some(line);
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.iter().filter(|&&b| b == b'\n').count();
        self.rest = rest;
    }

    /// The next word of ascii data.
    fn token(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|b| !b.is_ascii_whitespace())?;
        self.skip(start);
        let end = (self.rest.iter().position(u8::is_ascii_whitespace)).unwrap_or(self.rest.len());
        let token = &self.rest[..end];
        self.skip(end);
        Some(token)
    }

    /// `count` numbers of the type called `type_name`.
    fn numbers(&mut self, count: usize, type_name: &str, what: &str) -> Result<Vec<f64>> {
        let bits = type_name.eq_ignore_ascii_case("bit");
        let kind = if bits {
            Kind::U8
        } else {
            Kind::of_legacy(type_name).ok_or_else(|| {
                let problem = format!("{what} is of the unknown type {type_name:?}");
                self.bad(problem, "store it as double or int, or leave it out")
            })?
        };
        let left = self.rest.len();
        if self.binary {
            let bytes = match bits {
                true => Some(count.div_ceil(8)),
                false => count.checked_mul(kind.size()),
            };
            let bytes = bytes.filter(|&b| b <= left).ok_or_else(|| {
                self.damaged(format!(
                    "{what} needs {count} numbers, {left} bytes are left"
                ))
            })?;
            let data = &self.rest[..bytes];
            let values = match bits {
                true => (0..count)
                    .map(|i| f64::from((data[i / 8] >> (7 - i % 8)) & 1))
                    .collect(),
                false => kind.decode(data, true),
            };
            self.skip(bytes);
            return Ok(values);
        }
        if count.saturating_mul(2) > left.saturating_add(1) {
            let problem = format!("{what} needs {count} numbers, {left} bytes are left");
            return Err(self.damaged(problem));
        }
        let mut values = Vec::with_capacity(count);
        for i in 0..count {
            let token = (self.token())
                .ok_or_else(|| self.damaged(format!("{what} ends after {i} of {count} numbers")))?;
            let text = || String::from_utf8_lossy(token).into_owned();
            values.push(
                parse(token).ok_or_else(|| {
                    self.damaged(format!("{:?} in {what} is not a number", text()))
                })?,
            );
        }
        Ok(values)
    }

    fn grid(&mut self) -> Result<Grid> {
        self.preamble()?;
        let mut grid = Grid::default();
        let mut on = On::DataSet;
        let mut data_set = false;
        while let Some(line) = self.next_line() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let word = |i: usize| words.get(i).copied().unwrap_or("");
            let keyword = word(0).to_ascii_uppercase();
            match keyword.as_str() {
                "DATASET" => {
                    data_set = true;
                    if !word(1).eq_ignore_ascii_case("UNSTRUCTURED_GRID") {
                        let problem = format!("the data set is {:?}", word(1));
                        return Err(self.bad(problem, "give an UNSTRUCTURED_GRID"));
                    }
                }
                "POINTS" => {
                    let count = self.count(word(1), "POINTS")?;
                    let values = self.numbers(count.saturating_mul(3), word(2), "POINTS")?;
                    grid.points = points_from(&values, self.path)?;
                }
                "CELLS" => self.cells(&mut grid, word(1), word(2))?,
                "CELL_TYPES" => {
                    let count = self.count(word(1), "CELL_TYPES")?;
                    grid.cell_types = self.numbers(count, "int", "CELL_TYPES")?;
                }
                "POINT_DATA" => on = On::Points(self.count(word(1), "POINT_DATA")?),
                "CELL_DATA" => on = On::Cells(self.count(word(1), "CELL_DATA")?),
                "METADATA" => while self.any_line().is_some_and(|l| !l.is_empty()) {},
                _ => self.attribute(&mut grid, on, &keyword, &words)?,
            }
        }
        if !data_set {
            return Err(self.bad("no DATASET line", "give an UNSTRUCTURED_GRID"));
        }
        grid.check_arrays(self.path)?;
        Ok(grid)
    }

    /// The first three lines.
    fn preamble(&mut self) -> Result<()> {
        let first = self.any_line().unwrap_or_default();
        let version = first
            .to_ascii_lowercase()
            .strip_prefix("# vtk datafile version")
            .map(|v| v.trim().to_owned());
        let Some(version) = version else {
            let remedy = "the first line of a legacy VTK file is \"# vtk DataFile Version x.y\"";
            return Err(self.bad(format!("{first:.60?} is no VTK header"), remedy));
        };
        let major = version
            .split('.')
            .next()
            .and_then(|v| v.parse::<u32>().ok());
        match major {
            Some(major @ 1..=5) => self.new_cells = major >= 5,
            _ => {
                let problem = format!("version {version:?}");
                return Err(self.bad(problem, "versions 1.0 to 5.1 are known"));
            }
        }
        self.any_line();
        let encoding = self.next_line().unwrap_or_default();
        match encoding.to_ascii_uppercase().as_str() {
            "ASCII" => self.binary = false,
            "BINARY" => self.binary = true,
            _ => return Err(self.bad(format!("{encoding:.60?}"), "say ASCII or BINARY here")),
        }
        Ok(())
    }

    fn count(&self, word: &str, of: &str) -> Result<usize> {
        word.parse::<usize>()
            .map_err(|_| self.damaged(format!("{of} has the count {word:?}")))
    }

    fn cells(&mut self, grid: &mut Grid, first: &str, second: &str) -> Result<()> {
        let (first, second) = (self.count(first, "CELLS")?, self.count(second, "CELLS")?);
        if self.new_cells {
            let offsets = self.typed("OFFSETS", first)?;
            grid.connectivity = self.typed("CONNECTIVITY", second)?;
            match offsets.split_first() {
                None => {}
                Some((&0.0, ends)) => grid.cell_ends = ends.to_vec(),
                Some((start, _)) => {
                    return Err(self.damaged(format!("the first offset is {start}, not 0")));
                }
            }
            return Ok(());
        }
        let list = self.numbers(second, "int", "CELLS")?;
        let mut rest = &list[..];
        grid.connectivity.clear();
        grid.cell_ends.clear();
        for cell in 0..first {
            let corners = rest.split_first().and_then(|(&size, after)| {
                let size = index(size)? as usize;
                Some((after.get(..size)?, after.get(size..)?))
            });
            let Some((corners, after)) = corners else {
                return Err(self.damaged(format!("CELLS ends within cell {cell} of {first}")));
            };
            grid.connectivity.extend_from_slice(corners);
            grid.cell_ends.push(grid.connectivity.len() as f64);
            rest = after;
        }
        if !rest.is_empty() {
            let problem = format!(
                "CELLS has {} numbers more than its {first} cells",
                rest.len()
            );
            return Err(self.damaged(problem));
        }
        Ok(())
    }

    /// "OFFSETS vtktypeint64" and its numbers.
    fn typed(&mut self, keyword: &str, count: usize) -> Result<Vec<f64>> {
        let line = self.next_line().unwrap_or_default();
        let mut words = line.split_whitespace();
        if !words
            .next()
            .is_some_and(|w| w.eq_ignore_ascii_case(keyword))
        {
            let problem = format!("{line:.60?} where {keyword} should be");
            return Err(self.damaged(problem));
        }
        self.numbers(count, words.next().unwrap_or(""), keyword)
    }

    /// An array of POINT_DATA or CELL_DATA, or the data set's own FIELD (read and dropped).
    fn attribute(&mut self, grid: &mut Grid, on: On, key: &str, words: &[&str]) -> Result<()> {
        let word = |i: usize| words.get(i).copied().unwrap_or("");
        let rows = match on {
            On::DataSet => 0,
            On::Points(rows) | On::Cells(rows) => rows,
        };
        let mut keep = |name: &str, components: usize, values: Vec<f64>| {
            let array = Array {
                name: decode_name(name),
                components,
                values,
            };
            match on {
                On::Points(_) => grid.point_arrays.push(array),
                On::Cells(_) => grid.cell_arrays.push(array),
                On::DataSet => {}
            }
        };
        let simple = match key {
            "VECTORS" | "NORMALS" => Some(3),
            "TENSORS" => Some(9),
            "TENSORS6" => Some(6),
            "GLOBAL_IDS" | "PEDIGREE_IDS" | "EDGE_FLAGS" => Some(1),
            _ => None,
        };
        match key {
            "FIELD" => {
                let arrays = self.count(word(2), "FIELD")?;
                for _ in 0..arrays {
                    let Some(mut line) = self.next_line() else {
                        return Err(self.damaged("FIELD ends before all of its arrays"));
                    };
                    if line.eq_ignore_ascii_case("METADATA") {
                        while self.any_line().is_some_and(|l| !l.is_empty()) {}
                        line = self.next_line().unwrap_or_default();
                    }
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let &[name, components, tuples, type_name] = &words[..] else {
                        if words == ["NULL_ARRAY"] {
                            continue;
                        }
                        return Err(self.damaged(format!("{line:.60?} is no array of a FIELD")));
                    };
                    let components = self.count(components, name)?;
                    let tuples = self.count(tuples, name)?;
                    let numbers = components.saturating_mul(tuples);
                    let values = self.numbers(numbers, type_name, name)?;
                    if components > 0 {
                        keep(name, components, values);
                    }
                }
            }
            _ if on == On::DataSet => {
                let problem = format!("{key:.60?} is not known here");
                return Err(self.damaged(problem));
            }
            "SCALARS" => {
                let components = match word(3) {
                    "" => 1,
                    c => self.count(c, word(1))?.max(1),
                };
                let (before, line) = (self.rest, self.line);
                let table = self.next_line().unwrap_or_default().to_ascii_uppercase();
                if !table.starts_with("LOOKUP_TABLE") {
                    (self.rest, self.line) = (before, line);
                }
                let values = self.numbers(rows.saturating_mul(components), word(2), word(1))?;
                keep(word(1), components, values);
            }
            "COLOR_SCALARS" | "LOOKUP_TABLE" => {
                let (rows, components) = match key {
                    "LOOKUP_TABLE" => (self.count(word(2), key)?, 4),
                    _ => (rows, self.count(word(2), key)?),
                };
                let type_name = if self.binary {
                    "unsigned_char"
                } else {
                    "float"
                };
                let values = self.numbers(rows.saturating_mul(components), type_name, key)?;
                if key == "COLOR_SCALARS" && components > 0 {
                    keep(word(1), components, values);
                }
            }
            "TEXTURE_COORDINATES" => {
                let components = self.count(word(2), key)?;
                let values = self.numbers(rows.saturating_mul(components), word(3), key)?;
                if components > 0 {
                    keep(word(1), components, values);
                }
            }
            _ => {
                let Some(components) = simple else {
                    let problem = format!("{key:.60?} is not known");
                    return Err(self.damaged(problem));
                };
                let values = self.numbers(rows.saturating_mul(components), word(2), word(1))?;
                keep(word(1), components, values);
            }
        }
        Ok(())
    }
}

/// VTK writes what could split a name as %20 and the like.
pub fn decode_name(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode_name;

    #[test]
    fn names_are_decoded() {
        assert_eq!(decode_name("a%20b"), "a b");
        assert_eq!(decode_name("100%"), "100%");
        assert_eq!(decode_name("%zz"), "%zz");
    }
}
