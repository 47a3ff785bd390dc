//! TetGen meshes: `.node` coordinates and `.ele` tetrahedra.
//!
//! ```text
//! .node  n 3 attributes markers, then "number x y z [attribute …] [marker]" per point
//! .ele   m 4 attributes,         then "number a b c d [attribute …]" per tetrahedron
//! ```
//! Numbers start at 0 or 1, as that of the first point says. Everything after `#` is a comment; in
//! one of these our files name their attributes, `# attributes: tags fibres:3`, so that nothing is
//! lost. Elsewhere the first attribute of a tetrahedron is its region, our tag, and the others are
//! fields. Layout: <https://wias-berlin.de/software/tetgen/1.5/doc/manual/manual006.html>.

use std::path::{Path, PathBuf};

use super::grid::{Array, Grid};
use super::legacy_vtk::decode_name;
use super::lines::{Lines, lines, read_bytes, text_file, whole};
use super::numbers::parse;
use super::{FileMesh, MeshFormat};
use crate::atomic_file::Partial;
use crate::error::Result;
use crate::mesh::TetMesh;
use crate::tensor::full_matrix;

pub struct TetGen;

/// Begins the comment with the names of attributes.
const NAMES: &str = "# attributes:";

impl MeshFormat for TetGen {
    fn name(&self) -> &'static str {
        "TetGen"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["node", "ele"]
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let (node, ele) = (path.with_extension("node"), path.with_extension("ele"));
        let bytes = read_bytes(&node)?;
        let mut nodes = Rows::begin(
            &node,
            &bytes,
            "points",
            3,
            &["a dimension", "attributes", "markers"],
        )?;
        if nodes.head[0] != 3 {
            let problem = format!("points of {} dimensions", nodes.head[0]);
            return Err(nodes
                .lines
                .bad(problem, "give points in space: \"n 3 attributes markers\""));
        }
        let mut points = Vec::new();
        let on_points = nodes.read(nodes.head[1], |_, row| {
            points.push([row[0], row[1], row[2]]);
            Ok(())
        })?;
        let first = nodes.first;

        let bytes = read_bytes(&ele)?;
        let mut elements = Rows::begin(&ele, &bytes, "tetrahedra", 4, &["corners", "attributes"])?;
        if elements.head[0] != 4 {
            let problem = format!("tetrahedra of {} points", elements.head[0]);
            return Err(elements
                .lines
                .bad(problem, "run TetGen without -o2: linear tetrahedra have 4"));
        }
        let mut tetrahedra = Vec::new();
        let on_cells = elements.read(elements.head[1], |lines, row| {
            let mut vertices = [0; 4];
            for (to, &from) in vertices.iter_mut().zip(row) {
                let number = from - f64::from(first);
                *to = super::numbers::index(number).ok_or_else(|| {
                    let problem = format!("{from} is no point; the first one is {first}");
                    lines.bad(
                        problem,
                        "correct the numbers; .node and .ele may not belong together",
                    )
                })?;
            }
            tetrahedra.push(vertices);
            Ok(())
        })?;
        let mut mesh = TetMesh::new(points, tetrahedra);
        let grid = Grid {
            point_arrays: on_points,
            cell_arrays: on_cells,
            ..Grid::default()
        };
        grid.recognise(&mut mesh, &ele)?;
        Ok(FileMesh { mesh, unit: None })
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
        let numbers = |list: &[u32]| list.iter().map(|&x| x.into()).collect::<Vec<f64>>();
        let mut on_points = Vec::new();
        if let Some(parts) = &mesh.parts {
            on_points.push(("parts", 1, numbers(parts)));
        }
        for (name, field) in &mesh.point_fields {
            on_points.push((name, field.components, field.values.clone()));
        }
        let tags = mesh.tags.iter().map(|&tag| tag.into()).collect();
        let mut on_cells = vec![("tags", 1, tags)];
        for (name, vectors) in [("fibres", &mesh.fibres), ("sheets", &mesh.sheets)] {
            if let Some(v) = vectors {
                on_cells.push((name, 3, v.as_flattened().to_vec()));
            }
        }
        if let Some(tensors) = &mesh.velocity_tensor {
            let full: Vec<[f64; 9]> = tensors.iter().map(full_matrix).collect();
            on_cells.push(("velocity_tensor", 9, full.into_flattened()));
        }
        if let Some(domains) = &mesh.domains {
            on_cells.push(("domains", 1, numbers(domains)));
        }
        for (name, field) in &mesh.cell_fields {
            on_cells.push((name, field.components, field.values.clone()));
        }
        let node = write_rows(
            &path.with_extension("node"),
            n,
            &on_points,
            |row| match row {
                None => format!("{n} 3 {} 0", width(&on_points)),
                Some(row) => {
                    let [x, y, z] = mesh.points[row];
                    format!("{row} {x} {y} {z}")
                }
            },
        )?;
        let ele = write_rows(&path.with_extension("ele"), m, &on_cells, |row| match row {
            None => format!("{m} 4 {}", width(&on_cells)),
            Some(row) => {
                let [a, b, c, d] = mesh.tetrahedra[row];
                format!("{row} {a} {b} {c} {d}")
            }
        })?;
        // Both are on the disk before the first gets its name.
        node.complete()?;
        ele.complete()
    }

    fn files(&self, path: &Path) -> Vec<PathBuf> {
        vec![path.with_extension("node"), path.with_extension("ele")]
    }

    fn writes(&self) -> bool {
        true
    }
}

/// Name, components and values of what the rows carry.
type Attribute<'a> = (&'a str, usize, Vec<f64>);

/// Numbers per row.
fn width(attributes: &[Attribute]) -> usize {
    attributes.iter().map(|(_, components, _)| components).sum()
}

/// Writes the head (`text(None)`) and the rows with their attributes, to be completed.
fn write_rows(
    path: &Path,
    rows: usize,
    attributes: &[Attribute],
    text: impl Fn(Option<usize>) -> String,
) -> Result<Partial> {
    text_file(path, |out| {
        let names = attributes.iter().map(|(name, c, _)| match c {
            1 => encode_name(name),
            _ => format!("{}:{c}", encode_name(name)),
        });
        if !attributes.is_empty() {
            writeln!(out, "{NAMES} {}", names.collect::<Vec<_>>().join(" "))?;
        }
        writeln!(out, "{}", text(None))?;
        for row in 0..rows {
            write!(out, "{}", text(Some(row)))?;
            for (_, c, values) in attributes {
                for x in &values[row * c..][..*c] {
                    write!(out, " {x}")?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    })
}

/// What could split a name becomes %20 and the like.
fn encode_name(name: &str) -> String {
    let encode = |c: char| match c {
        '%' | ':' | '#' => format!("%{:02x}", c as u32),
        c if c.is_ascii_whitespace() || c.is_ascii_control() => format!("%{:02x}", c as u32),
        c => c.to_string(),
    };
    name.chars().map(encode).collect()
}

/// The rows of a file, after its head.
struct Rows<'a> {
    lines: Lines<'a>,
    names: Vec<(String, usize)>,
    what: &'static str,
    count: usize,
    /// Numbers of the head after the count.
    head: Vec<usize>,
    /// Columns before the attributes.
    columns: usize,
    /// Number of the first row.
    first: u32,
}

/// The words of a line up to a comment.
fn before_comment<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    words.take_while(|w| w[0] != b'#').collect()
}

impl<'a> Rows<'a> {
    /// Reads the head: a count, then as many numbers as there are names in `head`.
    fn begin(
        path: &'a Path,
        bytes: &'a [u8],
        what: &'static str,
        columns: usize,
        head: &[&str],
    ) -> Result<Self> {
        let mut lines = lines(path, bytes);
        let words = lines.next().map(before_comment).unwrap_or_default();
        let numbers: Option<Vec<usize>> = words.iter().map(|w| whole(Some(w))).collect();
        let numbers = numbers.filter(|n| !n.is_empty()).unwrap_or_default();
        let Some((&count, rest)) = numbers.split_first() else {
            let problem = format!("no number of {what}");
            let remedy = format!(
                "the first line has the numbers of {what}, {}",
                head.join(", ")
            );
            return Err(lines.bad(problem, &remedy));
        };
        lines.claim(count, what)?;
        // TetGen takes what is missing as the usual: 3 dimensions or 4 corners, no attributes.
        let usual = [columns, 0, 0];
        let head = (0..head.len()).map(|i| rest.get(i).copied().unwrap_or(usual[i]));
        Ok(Self {
            lines,
            names: names(bytes),
            what,
            count,
            head: head.collect(),
            columns,
            first: 0,
        })
    }

    /// Hands the numbers of each row to `visit`; the arrays of its `attributes`.
    fn read(
        &mut self,
        attributes: usize,
        mut visit: impl FnMut(&Lines, &[f64]) -> Result<()>,
    ) -> Result<Vec<Array>> {
        let mut arrays = self.arrays(attributes);
        let needed = self.columns.saturating_add(attributes);
        let mut numbers = Vec::new();
        for row in 0..self.count {
            let words = before_comment(self.lines.row(row, self.count, self.what)?);
            let number: Option<u32> = whole(words.first().copied());
            if row == 0 {
                self.first = number.filter(|n| *n < 2).ok_or_else(|| {
                    let problem = format!("the {} do not begin with number 0 or 1", self.what);
                    self.lines.bad(problem, "number them from 0 or 1")
                })?;
            }
            if number.map(|n| n as usize) != Some(self.first as usize + row) {
                let problem = format!("not number {}", self.first as usize + row);
                return Err(self
                    .lines
                    .bad(problem, "number the rows one after the other"));
            }
            numbers.clear();
            numbers.extend(words[1..].iter().map_while(|w| parse(w)));
            if numbers.len() < needed {
                let problem = format!("{} numbers where {needed} should be", numbers.len());
                return Err(self
                    .lines
                    .bad(problem, "the file may be damaged; make it again"));
            }
            visit(&self.lines, &numbers[..self.columns])?;
            let mut rest = &numbers[self.columns..];
            for array in &mut arrays {
                let (own, after) = rest.split_at(array.components);
                array.values.extend_from_slice(own);
                rest = after;
            }
        }
        self.lines.end(self.count, self.what)?;
        Ok(arrays)
    }

    /// Empty arrays for so many numbers per row.
    fn arrays(&self, attributes: usize) -> Vec<Array> {
        let named: usize = self.names.iter().fold(0, |n, (_, c)| n.saturating_add(*c));
        let array = |name: String, components: usize| Array {
            name,
            components,
            values: Vec::new(),
        };
        if named == attributes {
            return (self.names.iter())
                .map(|(name, c)| array(name.clone(), *c))
                .collect();
        }
        // A number of attributes that no line can hold fails at the first row.
        let region = |i: usize| self.columns == 4 && i == 0;
        (0..attributes.min(1000))
            .map(|i| match region(i) {
                true => array("region".into(), 1),
                false => array(format!("attribute {i}"), 1),
            })
            .collect()
    }
}

/// Names and components in the comment that our files begin with.
fn names(bytes: &[u8]) -> Vec<(String, usize)> {
    let end = bytes
        .iter()
        .position(|&b| b == b'\n')
        .unwrap_or(bytes.len());
    let line = String::from_utf8_lossy(&bytes[..end]);
    let Some(list) = line.trim().strip_prefix(NAMES) else {
        return Vec::new();
    };
    let one = |word: &str| match word.split_once(':') {
        None => Some((decode_name(word), 1)),
        Some((name, c)) => Some((decode_name(name), c.parse().ok().filter(|c| *c > 0)?)),
    };
    list.split_whitespace()
        .map(one)
        .collect::<Option<_>>()
        .unwrap_or_default()
}
