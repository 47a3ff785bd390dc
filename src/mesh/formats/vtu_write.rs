//! Writing VTU: appended base64, zlib-compressed, 64-bit headers, little endian.

use std::io::Write;

use base64::Engine;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::grid::TETRAHEDRON;
use crate::mesh::TetMesh;
use crate::tensor::full_matrix;

/// The mesh as appended base64, zlib-compressed, with 64-bit headers.
pub fn encode(mesh: &TetMesh) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::default();
    let (n, m) = (mesh.vertex_count(), mesh.tetrahedron_count());
    let f64s = |values: &[f64]| {
        values
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect::<Vec<_>>()
    };
    writer.line(
        r#"<?xml version="1.0"?>
<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" header_type="UInt64" compressor="vtkZLibDataCompressor">
<UnstructuredGrid>"#,
    );
    writer.line(&format!(
        r#"<Piece NumberOfPoints="{n}" NumberOfCells="{m}">"#
    ));
    writer.line("<PointData>");
    if let Some(parts) = &mesh.parts {
        let bytes: Vec<u8> = parts.iter().flat_map(|x| x.to_le_bytes()).collect();
        writer.array("parts", "UInt32", 1, &bytes)?;
    }
    for (name, field) in &mesh.point_fields {
        writer.array(name, "Float64", field.components, &f64s(&field.values))?;
    }
    writer.line("</PointData>\n<CellData>");
    let tags: Vec<u8> = mesh.tags.iter().flat_map(|x| x.to_le_bytes()).collect();
    writer.array("tags", "Int32", 1, &tags)?;
    for (name, vectors) in [("fibres", &mesh.fibres), ("sheets", &mesh.sheets)] {
        if let Some(v) = vectors {
            writer.array(name, "Float64", 3, &f64s(v.as_flattened()))?;
        }
    }
    if let Some(tensors) = &mesh.velocity_tensor {
        // All nine: readers disagree on the order of six.
        let full: Vec<[f64; 9]> = tensors.iter().map(full_matrix).collect();
        writer.array("velocity_tensor", "Float64", 9, &f64s(full.as_flattened()))?;
    }
    if let Some(domains) = &mesh.domains {
        let bytes: Vec<u8> = domains.iter().flat_map(|x| x.to_le_bytes()).collect();
        writer.array("domains", "UInt32", 1, &bytes)?;
    }
    for (name, field) in &mesh.cell_fields {
        writer.array(name, "Float64", field.components, &f64s(&field.values))?;
    }
    writer.line("</CellData>\n<Points>");
    writer.array("points", "Float64", 3, &f64s(mesh.points.as_flattened()))?;
    writer.line("</Points>\n<Cells>");
    let corners = mesh.tetrahedra.as_flattened();
    let corners: Vec<u8> = corners
        .iter()
        .flat_map(|&v| i64::from(v).to_le_bytes())
        .collect();
    writer.array("connectivity", "Int64", 1, &corners)?;
    let ends: Vec<u8> = (1..=m as i64).flat_map(|t| (4 * t).to_le_bytes()).collect();
    writer.array("offsets", "Int64", 1, &ends)?;
    writer.array("types", "UInt8", 1, &vec![TETRAHEDRON; m])?;
    writer.line("</Cells>\n</Piece>\n</UnstructuredGrid>\n<AppendedData encoding=\"base64\">");
    let mut file = writer.xml.into_bytes();
    file.push(b'_');
    file.extend_from_slice(writer.appended.as_bytes());
    file.extend_from_slice(b"\n</AppendedData>\n</VTKFile>\n");
    Ok(file)
}

#[derive(Default)]
struct Writer {
    xml: String,
    appended: String,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.xml.push_str(line);
        self.xml.push('\n');
    }

    fn array(
        &mut self,
        name: &str,
        kind: &str,
        components: usize,
        bytes: &[u8],
    ) -> std::io::Result<()> {
        const BLOCK: usize = 1 << 20;
        let name = quick_xml::escape::escape(name);
        let offset = self.appended.len();
        self.line(&format!(
            r#"<DataArray type="{kind}" Name="{name}" NumberOfComponents="{components}" format="appended" offset="{offset}"/>"#
        ));
        let mut sizes = Vec::new();
        let mut packed = Vec::new();
        for block in bytes.chunks(BLOCK) {
            let before = packed.len();
            let mut encoder = ZlibEncoder::new(&mut packed, Compression::new(5));
            encoder.write_all(block)?;
            encoder.finish()?;
            sizes.push((packed.len() - before) as u64);
        }
        let header = [sizes.len(), BLOCK, bytes.len() % BLOCK].map(|x| x as u64);
        let header: Vec<u8> = (header.iter().chain(&sizes))
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let base64 = base64::engine::general_purpose::STANDARD;
        base64.encode_string(header, &mut self.appended);
        base64.encode_string(packed, &mut self.appended);
        Ok(())
    }
}
