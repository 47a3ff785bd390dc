//! Gmsh meshes (`.msh`), versions 2.2, 4.0 and 4.1, ascii and binary of either byte order.
//!
//! | of the file | becomes |
//! |---|---|
//! | nodes, 4-node tetrahedra | points, tetrahedra, each in the order of its numbers there |
//! | physical group, or the elementary entity where there is none | tags |
//! | `$NodeData`, `$ElementData` | arrays by name, see [`super::grid`]; NaN where a row is missing |
//!
//! Layout: <https://gmsh.info/doc/texinfo/gmsh.html#Gmsh-file-formats>. Written are `.msh` in
//! binary 4.1 and `.msh2`, which other programs read, in ascii 2.2.

use std::path::Path;

use super::gmsh_reader::{Layout, Reader, Section};
use super::gmsh_write::{Encoding, encode};
use super::grid::{Array, Grid};
use super::lines::read_bytes;
use super::{FileMesh, MeshFormat};
use crate::atomic_file::write_atomic;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::tensor::Vec3;

/// Gmsh files, by the version that is written; all versions are read.
pub struct Gmsh {
    pub version: Version,
}

/// Version of the file format, of those that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Two,
    Four,
}

impl MeshFormat for Gmsh {
    fn name(&self) -> &'static str {
        match self.version {
            Version::Two => "Gmsh 2.2",
            Version::Four => "Gmsh",
        }
    }

    fn extensions(&self) -> &'static [&'static str] {
        match self.version {
            Version::Two => &["msh2"],
            Version::Four => &["msh", "msh4"],
        }
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let bytes = read_bytes(path)?;
        let mesh = Content::read(path, &bytes)?.into_mesh(path)?;
        Ok(FileMesh { mesh, unit: None })
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        let encoding = match self.version {
            Version::Two => Encoding::Ascii,
            Version::Four => Encoding::Binary,
        };
        write_atomic(path, encode(mesh, self.version, encoding))
    }

    fn writes(&self) -> bool {
        true
    }
}

/// Numbers of a physical group and of an elementary entity; 0: none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Label {
    physical: i64,
    entity: i64,
}

#[derive(Debug)]
struct Tetrahedron {
    number: i64,
    label: Label,
    nodes: [i64; 4],
}

/// Values of a `$NodeData` or `$ElementData` section: `components` for each of `numbers`.
#[derive(Debug)]
struct Data {
    name: String,
    components: usize,
    numbers: Vec<i64>,
    values: Vec<f64>,
}

/// What a file holds, under the file's own numbers.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) nodes: Vec<(i64, Vec3)>,
    tetrahedra: Vec<Tetrahedron>,
    skipped: usize,
    second_order: usize,
    /// Of volumes (since 4.0): (entity, physical group).
    physical: Vec<(i64, i64)>,
    on_nodes: Vec<Data>,
    on_elements: Vec<Data>,
}

/// Corners of an element of Gmsh's type; `None`: unknown.
fn node_count(kind: i64) -> Option<usize> {
    const COUNTS: [u8; 31] = [
        2, 3, 4, 4, 8, 6, 5, 3, 6, 9, 10, 27, 18, 14, 1, 8, 20, 15, 13, 9, 10, 12, 15, 15, 21, 4,
        5, 6, 20, 35, 56,
    ];
    let known = usize::try_from(kind - 1).ok().and_then(|k| COUNTS.get(k));
    match kind {
        92 => Some(64),
        93 => Some(125),
        _ => known.map(|&n| n.into()),
    }
}

const TETRAHEDRON: i64 = 4;
/// Tetrahedra of 10, 20, 35 and 56 nodes.
const HIGHER_TETRAHEDRA: [i64; 4] = [11, 29, 30, 31];

impl Content {
    fn read(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut content = Self::default();
        let mut reader = Reader::new(path, bytes)?;
        let (mut nodes, mut elements) = (false, false);
        while let Some(section) = reader.section()? {
            match section {
                Section::Nodes => {
                    nodes = true;
                    match reader.layout {
                        Layout::V2 => content.nodes_2(&mut reader)?,
                        Layout::V40 => content.nodes_40(&mut reader)?,
                        Layout::V41 => content.nodes_41(&mut reader)?,
                    }
                }
                Section::Elements => {
                    elements = true;
                    match reader.layout {
                        Layout::V2 => content.elements_2(&mut reader)?,
                        Layout::V40 => content.elements_40(&mut reader)?,
                        Layout::V41 => content.elements_41(&mut reader)?,
                    }
                }
                Section::Entities => content.entities(&mut reader)?,
                Section::NodeData => content.on_nodes.push(data(&mut reader)?),
                Section::ElementData => content.on_elements.push(data(&mut reader)?),
                Section::Other => {
                    reader.skip_section()?;
                    continue;
                }
            }
            reader.end_section()?;
        }
        for (there, name) in [(nodes, "$Nodes"), (elements, "$Elements")] {
            if !there {
                let remedy = "the file may be truncated; save the mesh again";
                return Err(Error::bad_file(path, name, "is missing", remedy));
            }
        }
        Ok(content)
    }

    fn nodes_2(&mut self, reader: &mut Reader) -> Result<()> {
        let count = reader.line_count("nodes", reader.bytes_of(1, 3))?;
        self.nodes.reserve(count);
        for _ in 0..count {
            self.nodes.push((reader.int()?, reader.point()?));
        }
        Ok(())
    }

    fn elements_2(&mut self, reader: &mut Reader) -> Result<()> {
        let count = reader.line_count(
            "elements",
            reader.bytes_of(if reader.binary { 2 } else { 4 }, 0),
        )?;
        let mut read = 0;
        while read < count {
            // In ascii every element has its own head, in binary a block of them.
            let (number, kind, block, tags) = if reader.binary {
                let kind = reader.int()?;
                let block = reader.count_of("elements of a block", reader.bytes_of(1, 0))?;
                (None, kind, block, reader.count_of("tags", 0)?)
            } else {
                let number = reader.int()?;
                (Some(number), reader.int()?, 1, reader.count_of("tags", 0)?)
            };
            if block == 0 || block > count - read {
                return Err(reader.damaged(format!(
                    "a block of {block} elements, {read} of {count} read"
                )));
            }
            let corners = corners(reader, kind)?;
            for _ in 0..block {
                let number = number.map_or_else(|| reader.int(), Ok)?;
                let mut label = Label::default();
                for i in 0..tags {
                    let tag = reader.int()?;
                    match i {
                        0 => label.physical = tag,
                        1 => label.entity = tag,
                        _ => {}
                    }
                }
                self.element(reader, number, kind, corners, label)?;
            }
            read += block;
        }
        Ok(())
    }

    fn nodes_41(&mut self, reader: &mut Reader) -> Result<()> {
        let blocks = reader.size()?;
        let total = reader.count_of("nodes", reader.bytes_of_sizes(1, 3))?;
        reader.pass_range()?;
        for _ in 0..blocks {
            let (dimension, _, parametric) = (reader.int()?, reader.int()?, reader.int()?);
            let count = reader.count_of("nodes of a block", reader.bytes_of_sizes(1, 3))?;
            let first = self.nodes.len();
            for _ in 0..count {
                self.nodes.push((reader.size()?, [0.0; 3]));
            }
            for i in first..first + count {
                self.nodes[i].1 = reader.point()?;
                if parametric != 0 {
                    for _ in 0..dimension {
                        reader.double()?;
                    }
                }
            }
        }
        self.agree(reader, "nodes", self.nodes.len(), total)
    }

    fn elements_41(&mut self, reader: &mut Reader) -> Result<()> {
        let blocks = reader.size()?;
        let total = reader.count_of("elements", reader.bytes_of_sizes(2, 0))?;
        reader.pass_range()?;
        let mut read = 0;
        for _ in 0..blocks {
            let (dimension, entity, kind) = (reader.int()?, reader.int()?, reader.int()?);
            let corners = corners(reader, kind)?;
            let bytes = reader.bytes_of_sizes(1 + corners, 0);
            let count = reader.count_of("elements of a block", bytes)?;
            let label = self.label_of(dimension, entity);
            for _ in 0..count {
                let number = reader.size()?;
                self.element(reader, number, kind, corners, label)?;
            }
            read += count;
        }
        self.agree(reader, "elements", read, total)
    }

    pub(super) fn agree(
        &self,
        reader: &Reader,
        what: &str,
        found: usize,
        said: usize,
    ) -> Result<()> {
        if found == said {
            return Ok(());
        }
        Err(reader.damaged(format!("{found} {what} where {said} were announced")))
    }

    /// What an entity of `$Entities` is labelled with; only volumes matter.
    pub(super) fn label_of(&self, dimension: i64, entity: i64) -> Label {
        let found = self
            .physical
            .iter()
            .find(|(e, _)| dimension == 3 && *e == entity);
        Label {
            physical: found.map_or(0, |(_, group)| *group),
            entity,
        }
    }

    /// Nodes of the element whose number has been read.
    pub(super) fn element(
        &mut self,
        reader: &mut Reader,
        number: i64,
        kind: i64,
        corners: usize,
        label: Label,
    ) -> Result<()> {
        let mut nodes = [0; 4];
        for i in 0..corners {
            let node = match reader.layout {
                Layout::V2 | Layout::V40 => reader.int()?,
                Layout::V41 => reader.size()?,
            };
            if let Some(to) = nodes.get_mut(i) {
                *to = node;
            }
        }
        if kind == TETRAHEDRON {
            self.tetrahedra.push(Tetrahedron {
                number,
                label,
                nodes,
            });
        } else {
            self.second_order += usize::from(HIGHER_TETRAHEDRA.contains(&kind));
            self.skipped += usize::from(kind != 15);
        }
        Ok(())
    }

    /// `$Entities`: physical groups of volumes.
    fn entities(&mut self, reader: &mut Reader) -> Result<()> {
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reader.count_of("entities", reader.bytes_of(1, 3))?;
        }
        for (dimension, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                let entity = reader.int()?;
                // A point has a box, too, before 4.1.
                let numbers = match (dimension, reader.layout) {
                    (0, Layout::V41) => 3,
                    _ => 6,
                };
                for _ in 0..numbers {
                    reader.double()?;
                }
                let groups = reader.count_of("physical groups", reader.bytes_of(1, 0))?;
                for i in 0..groups {
                    let group = reader.int()?;
                    if dimension == 3 && i == 0 {
                        self.physical.push((entity, group.abs()));
                    }
                }
                if dimension > 0 {
                    for _ in 0..reader.count_of("bounding entities", reader.bytes_of(1, 0))? {
                        reader.int()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// In the order of numbers, numbered from 0.
    fn into_mesh(mut self, path: &Path) -> Result<TetMesh> {
        let bad = |place: String, problem: String, remedy: &str| {
            Err(Error::bad_file(path, place, problem, remedy))
        };
        if self.tetrahedra.is_empty() {
            let (problem, remedy) = if self.second_order > 0 {
                (
                    format!("its {} tetrahedra are not linear", self.second_order),
                    "mesh it with Mesh.ElementOrder = 1",
                )
            } else {
                (
                    format!("none of the {} elements is a tetrahedron", self.skipped),
                    "save the volume mesh; where there are physical groups, put the volumes in one",
                )
            };
            return bad("$Elements".into(), problem, remedy);
        }
        if self.skipped > 0 {
            tracing::info!(
                "{}: {} elements that are not tetrahedra skipped",
                path.display(),
                self.skipped
            );
        }
        self.nodes.sort_by_key(|(number, _)| *number);
        self.tetrahedra.sort_by_key(|t| t.number);
        let nodes = Numbers(self.nodes.iter().map(|(number, _)| *number).collect());
        let elements = Numbers(self.tetrahedra.iter().map(|t| t.number).collect());
        for (numbers, of) in [(&nodes, "node"), (&elements, "tetrahedron")] {
            if let Some(twice) = numbers.repeated() {
                let remedy = "the file may be damaged; save the mesh again";
                return bad(format!("{of} {twice}"), "is there twice".into(), remedy);
            }
        }
        let mut tetrahedra = Vec::with_capacity(self.tetrahedra.len());
        for t in &self.tetrahedra {
            let mut vertices = [0; 4];
            for (to, &node) in vertices.iter_mut().zip(&t.nodes) {
                let Some(vertex) = nodes.index(node) else {
                    return bad(
                        format!("tetrahedron {}", t.number),
                        format!("there is no node {node}"),
                        "the file may be damaged; save the mesh again",
                    );
                };
                *to = vertex as u32;
            }
            tetrahedra.push(vertices);
        }
        let points = self.nodes.iter().map(|(_, p)| *p).collect();
        let mut mesh = TetMesh::new(points, tetrahedra);
        let grouped = self.tetrahedra.iter().any(|t| t.label.physical != 0);
        for (tag, t) in mesh.tags.iter_mut().zip(&self.tetrahedra) {
            let Label { physical, entity } = t.label;
            *tag = i32::try_from(if grouped { physical } else { entity }).unwrap_or(0);
        }
        let grid = Grid {
            point_arrays: arrays(&self.on_nodes, &nodes),
            cell_arrays: arrays(&self.on_elements, &elements),
            ..Grid::default()
        };
        grid.recognise(&mut mesh, path)?;
        Ok(mesh)
    }
}

pub(super) fn corners(reader: &Reader, kind: i64) -> Result<usize> {
    node_count(kind).ok_or_else(|| {
        let problem = format!("elements of type {kind} are not known");
        reader.bad(problem, "save linear tetrahedra (type 4)")
    })
}

/// One `$NodeData` or `$ElementData` section.
fn data(reader: &mut Reader) -> Result<Data> {
    let mut name = String::new();
    for i in 0..reader.line_count("string tags", 0)? {
        let text = reader.line()?;
        if i == 0 {
            name = text.trim_matches('"').to_owned();
        }
    }
    for _ in 0..reader.line_count("real tags", 0)? {
        reader.line()?;
    }
    let mut integers = Vec::new();
    for _ in 0..reader.line_count("integer tags", 0)? {
        let text = reader.line()?;
        let whole = text.parse::<usize>();
        integers.push(whole.map_err(|_| reader.damaged(format!("{text:.40?} is no count")))?);
    }
    let (Some(&components), Some(&rows)) = (integers.get(1), integers.get(2)) else {
        return Err(reader.damaged(format!("no count of components and rows of {name:?}")));
    };
    let bytes = reader.bytes_of(1, 0) + components.saturating_mul(reader.bytes_of(0, 1));
    reader.claim(rows, bytes, "rows")?;
    let mut data = Data {
        name,
        components,
        numbers: Vec::with_capacity(rows),
        values: Vec::with_capacity(rows * components),
    };
    for _ in 0..rows {
        data.numbers.push(reader.int()?);
        for _ in 0..components {
            data.values.push(reader.double()?);
        }
    }
    Ok(data)
}

/// Data in the order of the mesh.
fn arrays(sections: &[Data], numbers: &Numbers) -> Vec<Array> {
    let one = |data: &Data| {
        let c = data.components;
        let mut values = vec![f64::NAN; numbers.0.len() * c];
        for (row, &number) in data.numbers.iter().enumerate() {
            if let Some(to) = numbers.index(number) {
                values[to * c..][..c].copy_from_slice(&data.values[row * c..][..c]);
            }
        }
        Array {
            name: data.name.clone(),
            components: c,
            values,
        }
    };
    // Many components of few rows would take far more memory than the file holds.
    let usable = |d: &&Data| {
        let complete = d.numbers.len() >= numbers.0.len();
        d.components > 0 && !d.numbers.is_empty() && (d.components <= 9 || complete)
    };
    sections.iter().filter(usable).map(one).collect()
}

/// Rising numbers and their places.
struct Numbers(Vec<i64>);

impl Numbers {
    fn repeated(&self) -> Option<i64> {
        let pair = self.0.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(pair[0])
    }

    fn index(&self, number: i64) -> Option<usize> {
        // Mostly consecutive.
        let guess = usize::try_from(number.checked_sub(*self.0.first()?)?).ok()?;
        if self.0.get(guess) == Some(&number) {
            return Some(guess);
        }
        self.0.binary_search(&number).ok()
    }
}
