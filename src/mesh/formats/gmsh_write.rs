//! Writing Gmsh files: 2.2 or 4.1, ascii or little-endian binary.
//!
//! Nodes and tetrahedra are numbered from 1 in the mesh's order. Every tag is a volume (elementary
//! entity), and a physical group where it is positive, as Gmsh wants them. Tags that are not are
//! also element data, as is all else; so nothing is lost.

use std::io::Write;

use super::gmsh::Version;
use crate::mesh::TetMesh;
use crate::tensor::full_matrix;

/// How numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Ascii,
    Binary,
}

/// The file of `mesh`.
pub fn encode(mesh: &TetMesh, version: Version, encoding: Encoding) -> Vec<u8> {
    let mut out = Encoder {
        bytes: Vec::new(),
        binary: encoding == Encoding::Binary,
    };
    let mut volumes: Vec<i32> = mesh.tags.clone();
    volumes.sort_unstable();
    volumes.dedup();
    let name = match version {
        Version::Two => "2.2",
        Version::Four => "4.1",
    };
    out.line("$MeshFormat");
    out.line(&format!("{name} {} 8", u8::from(out.binary)));
    if out.binary {
        out.int(1);
        out.end_row();
    }
    out.line("$EndMeshFormat");
    match version {
        Version::Two => version_2(mesh, &volumes, &mut out),
        Version::Four => version_4(mesh, &volumes, &mut out),
    }
    fields(mesh, &mut out);
    out.bytes
}

fn version_2(mesh: &TetMesh, volumes: &[i32], out: &mut Encoder) {
    out.line("$Nodes");
    out.line(&mesh.vertex_count().to_string());
    for (number, p) in (1..).zip(&mesh.points) {
        out.int(number);
        p.iter().for_each(|&x| out.double(x));
        out.end_record();
    }
    out.end_section("Nodes");
    out.line("$Elements");
    out.line(&mesh.tetrahedron_count().to_string());
    if out.binary {
        out.ints(&[4, mesh.tetrahedron_count() as i32, 2]);
    }
    for ((number, corners), tag) in (1..).zip(&mesh.tetrahedra).zip(&mesh.tags) {
        out.int(number);
        if !out.binary {
            out.ints(&[4, 2]);
        }
        out.int((*tag).max(0));
        out.int(1 + volumes.partition_point(|v| v < tag) as i32);
        corners.iter().for_each(|&v| out.int(v as i32 + 1));
        out.end_record();
    }
    out.end_section("Elements");
}

fn version_4(mesh: &TetMesh, volumes: &[i32], out: &mut Encoder) {
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
    for p in &mesh.points {
        for i in 0..3 {
            low[i] = low[i].min(p[i]);
            high[i] = high[i].max(p[i]);
        }
    }
    out.line("$Entities");
    out.sizes(&[0, 0, 0, volumes.len()]);
    out.end_record();
    for (entity, &tag) in (1..).zip(volumes) {
        out.int(entity);
        low.iter().chain(&high).for_each(|&x| out.double(x));
        out.size(usize::from(tag > 0));
        if tag > 0 {
            out.int(tag);
        }
        out.size(0);
        out.end_record();
    }
    out.end_section("Entities");
    out.line("$Nodes");
    out.sizes(&[1, n, 1, n]);
    out.end_record();
    out.ints(&[3, 1, 0]);
    out.size(n);
    out.end_record();
    for number in 1..=n {
        out.size(number);
        out.end_record();
    }
    for p in &mesh.points {
        p.iter().for_each(|&x| out.double(x));
        out.end_record();
    }
    out.end_section("Nodes");
    let mut of_volume = vec![Vec::new(); volumes.len()];
    for (t, tag) in mesh.tags.iter().enumerate() {
        of_volume[volumes.partition_point(|v| v < tag)].push(t);
    }
    out.line("$Elements");
    out.sizes(&[volumes.len(), m, 1, m]);
    out.end_record();
    for (entity, tetrahedra) in (1..).zip(&of_volume) {
        out.ints(&[3, entity, 4]);
        out.size(tetrahedra.len());
        out.end_record();
        for &t in tetrahedra {
            out.size(t + 1);
            (mesh.tetrahedra[t].iter()).for_each(|&v| out.size(v as usize + 1));
            out.end_record();
        }
    }
    out.end_section("Elements");
}

fn fields(mesh: &TetMesh, out: &mut Encoder) {
    let numbers = |list: &[u32]| list.iter().map(|&x| x.into()).collect::<Vec<f64>>();
    if let Some(parts) = &mesh.parts {
        out.data("NodeData", "parts", 1, &numbers(parts));
    }
    for (name, field) in &mesh.point_fields {
        out.data("NodeData", name, field.components, &field.values);
    }
    if mesh.tags.iter().any(|&tag| tag <= 0) {
        let tags: Vec<f64> = mesh.tags.iter().map(|&tag| tag.into()).collect();
        out.data("ElementData", "tags", 1, &tags);
    }
    for (name, vectors) in [("fibres", &mesh.fibres), ("sheets", &mesh.sheets)] {
        if let Some(v) = vectors {
            out.data("ElementData", name, 3, v.as_flattened());
        }
    }
    if let Some(tensors) = &mesh.velocity_tensor {
        let full: Vec<[f64; 9]> = tensors.iter().map(full_matrix).collect();
        out.data("ElementData", "velocity_tensor", 9, full.as_flattened());
    }
    if let Some(domains) = &mesh.domains {
        out.data("ElementData", "domains", 1, &numbers(domains));
    }
    for (name, field) in &mesh.cell_fields {
        out.data("ElementData", name, field.components, &field.values);
    }
}

struct Encoder {
    bytes: Vec<u8>,
    binary: bool,
}

impl Encoder {
    fn line(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(b'\n');
    }

    fn end_row(&mut self) {
        self.bytes.push(b'\n');
    }

    /// A line in ascii, nothing in binary.
    fn end_record(&mut self) {
        if !self.binary {
            self.end_row();
        }
    }

    fn end_section(&mut self, name: &str) {
        if self.binary {
            self.end_row();
        }
        self.line(&format!("$End{name}"));
    }

    fn text(&mut self, number: impl std::fmt::Display) {
        // Writing to a Vec cannot fail.
        let _ = write!(self.bytes, "{number} ");
    }

    fn int(&mut self, i: i32) {
        match self.binary {
            true => self.bytes.extend(i.to_le_bytes()),
            false => self.text(i),
        }
    }

    fn size(&mut self, size: usize) {
        match self.binary {
            true => self.bytes.extend((size as u64).to_le_bytes()),
            false => self.text(size),
        }
    }

    fn ints(&mut self, list: &[i32]) {
        list.iter().for_each(|&i| self.int(i));
    }

    fn sizes(&mut self, list: &[usize]) {
        list.iter().for_each(|&size| self.size(size));
    }

    fn double(&mut self, x: f64) {
        match self.binary {
            true => self.bytes.extend(x.to_le_bytes()),
            false => self.text(x),
        }
    }

    /// `components` values for every node or element.
    fn data(&mut self, section: &str, name: &str, components: usize, values: &[f64]) {
        let rows = values.len() / components.max(1);
        let name = name.replace(['"', '\n', '\r'], "_");
        self.line(&format!(
            "${section}\n1\n\"{name}\"\n1\n0\n3\n0\n{components}\n{rows}"
        ));
        for (number, row) in (1..).zip(values.chunks(components.max(1))) {
            self.int(number);
            row.iter().for_each(|&x| self.double(x));
            self.end_record();
        }
        self.end_section(section);
    }
}
