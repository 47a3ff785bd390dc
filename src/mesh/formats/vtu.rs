//! VTU, VTK's XML file of unstructured grids: ascii, inline binary, appended (raw or base64),
//! plain or zlib-compressed, 32- and 64-bit headers, both byte orders, several pieces.
//!
//! Appended raw data is not XML: the file is cut at `<AppendedData` before the XML is read.
//! Recognised arrays: see [`super::grid`]. Layout: VTK's "XML File Formats" document.

use std::io::{Read, Write};
use std::path::Path;

use base64::Engine;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::grid::{Array, Grid, TETRAHEDRON, points_from};
use super::numbers::{Kind, parse};
use super::{FileMesh, MeshFormat, replace};
use crate::error::{Error, Result};
use crate::mesh::TetMesh;

/// Deflate makes at most about 1030 bytes out of one.
const MOST_COMPRESSION: usize = 1100;

pub struct Vtu;

impl MeshFormat for Vtu {
    fn name(&self) -> &'static str {
        "VTU"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["vtu"]
    }

    fn read(&self, path: &Path) -> Result<FileMesh> {
        let mesh = read_grid(path)?.into_mesh(path)?;
        Ok(FileMesh { mesh, unit: None })
    }

    fn write(&self, mesh: &TetMesh, path: &Path) -> Result<()> {
        let bytes = encode(mesh).map_err(|e| Error::io(path, "write", &e))?;
        replace(path, |p| {
            std::fs::write(p, bytes).map_err(|e| Error::io(path, "write", &e))
        })
    }

    fn writes(&self) -> bool {
        true
    }
}

/// Everything in the file.
pub fn read_grid(path: &Path) -> Result<Grid> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", &e))?;
    let parser = Parser::new(&bytes, path)?;
    parser.grid()
}

/// Section of a piece.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    Points,
    Cells,
    PointData,
    CellData,
    Other,
}

/// Attributes of a DataArray.
struct Header {
    name: String,
    kind: Option<Kind>,
    type_name: String,
    components: usize,
    format: String,
    offset: Option<usize>,
}

struct Parser<'a> {
    path: &'a Path,
    xml: &'a [u8],
    /// After the underscore, and whether it is base64.
    appended: &'a [u8],
    appended_base64: bool,
    big_endian: bool,
    /// Bytes of a header word: 4 or 8.
    word: usize,
    compressed: bool,
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8], path: &'a Path) -> Result<Self> {
        let mut parser = Self {
            path,
            xml: bytes,
            appended: &[],
            appended_base64: false,
            big_endian: false,
            word: 4,
            compressed: false,
        };
        if let Some(cut) = find(bytes, b"<AppendedData") {
            parser.xml = &bytes[..cut];
            let rest = &bytes[cut..];
            let open = find(rest, b">");
            let start = open.and_then(|o| Some(o + find(&rest[o..], b"_")? + 1));
            let (Some(open), Some(start)) = (open, start) else {
                return Err(parser.damaged("AppendedData", "has no data"));
            };
            parser.appended_base64 = find(&rest[..open], b"base64").is_some();
            parser.appended = &rest[start..];
        }
        Ok(parser)
    }

    fn damaged(&self, place: impl Into<String>, problem: impl Into<String>) -> Error {
        let remedy = "the file may be damaged or truncated; make or copy it again";
        Error::bad_file(self.path, place, problem, remedy)
    }

    fn grid(mut self) -> Result<Grid> {
        let mut reader = Reader::from_reader(self.xml);
        let mut grid = Grid::default();
        let mut piece: Option<Piece> = None;
        let mut section = Section::Other;
        let mut seen_root = false;
        let mut pieces = 0;
        // The array being read, its text, and how deep inside it we are (it may hold information keys).
        let mut array: Option<(Header, Vec<u8>)> = None;
        let mut depth = 0;
        loop {
            let place = reader.buffer_position();
            let event = reader.read_event().map_err(|e| {
                self.damaged(
                    format!("byte {place}"),
                    format!("not well-formed XML ({e})"),
                )
            })?;
            let empty = matches!(event, Event::Empty(_));
            match event {
                Event::Eof => break,
                Event::Start(e) | Event::Empty(e) => {
                    if array.is_some() {
                        depth += usize::from(!empty);
                        continue;
                    }
                    match e.name().as_ref() {
                        b"VTKFile" => {
                            self.root(&e)?;
                            seen_root = true;
                        }
                        b"Piece" if !empty => {
                            pieces += 1;
                            piece = Some(Piece {
                                points: self.count(&e, "NumberOfPoints")?,
                                cells: self.count(&e, "NumberOfCells")?,
                                ..Piece::default()
                            });
                        }
                        b"Points" if !empty => section = Section::Points,
                        b"Cells" if !empty => section = Section::Cells,
                        b"PointData" if !empty => section = Section::PointData,
                        b"CellData" if !empty => section = Section::CellData,
                        b"DataArray" | b"Array" => {
                            let header = self.header(&e)?;
                            if !empty {
                                array = Some((header, Vec::new()));
                                depth = 0;
                            } else if let Some(piece) = &mut piece {
                                self.store(piece, section, &header, &[])?;
                            }
                        }
                        _ => {}
                    }
                }
                Event::Text(text) => {
                    if let Some((_, content)) = &mut array
                        && depth == 0
                    {
                        content.extend_from_slice(&text);
                    }
                }
                Event::End(e) => match e.name().as_ref() {
                    _ if array.is_some() && depth > 0 => depth -= 1,
                    b"DataArray" | b"Array" => {
                        if let (Some((header, text)), Some(piece)) = (array.take(), &mut piece) {
                            self.store(piece, section, &header, &text)?;
                        }
                    }
                    b"Points" | b"Cells" | b"PointData" | b"CellData" => section = Section::Other,
                    b"Piece" => {
                        if let Some(piece) = piece.take() {
                            self.append(&mut grid, piece)?;
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        if !seen_root {
            return Err(Error::bad_file(
                self.path,
                "file",
                "has no VTKFile element",
                "give a VTK XML file of an unstructured grid (.vtu)",
            ));
        }
        if piece.is_some() || array.is_some() || pieces == 0 {
            return Err(self.damaged("Piece", "ends before it is complete"));
        }
        Ok(grid)
    }

    fn attribute(&self, e: &BytesStart, name: &str) -> Result<Option<String>> {
        for attribute in e.attributes().with_checks(false) {
            let attribute = attribute.map_err(|why| {
                let element = String::from_utf8_lossy(e.name().as_ref()).into_owned();
                self.damaged(
                    format!("element {element}"),
                    format!("bad attribute ({why})"),
                )
            })?;
            if attribute.key.as_ref() == name.as_bytes() {
                return match attribute.unescape_value() {
                    Ok(value) => Ok(Some(value.into_owned())),
                    Err(why) => Err(self.damaged(format!("attribute {name}"), why.to_string())),
                };
            }
        }
        Ok(None)
    }

    fn count(&self, e: &BytesStart, name: &str) -> Result<usize> {
        let text = self.attribute(e, name)?.unwrap_or_default();
        text.trim()
            .parse::<u32>()
            .map(|n| n as usize)
            .map_err(|_| self.damaged("Piece", format!("{name} is {text:?}")))
    }

    fn root(&mut self, e: &BytesStart) -> Result<()> {
        let unknown = |what: &str, found: &str, remedy: &str| {
            let problem = format!("{what} is {found:?}");
            Err(Error::bad_file(self.path, "VTKFile", problem, remedy))
        };
        match self.attribute(e, "type")?.as_deref() {
            Some("UnstructuredGrid") => {}
            other => {
                let remedy = "give an UnstructuredGrid";
                return unknown("type", other.unwrap_or(""), remedy);
            }
        }
        let big_endian = match self.attribute(e, "byte_order")?.as_deref() {
            Some("BigEndian") => true,
            Some("LittleEndian") | None => false,
            Some(other) => {
                return unknown("byte_order", other, "LittleEndian and BigEndian are known");
            }
        };
        let word = match self.attribute(e, "header_type")?.as_deref() {
            Some("UInt64") => 8,
            Some("UInt32") | None => 4,
            Some(other) => return unknown("header_type", other, "UInt32 and UInt64 are known"),
        };
        let compressed = match self.attribute(e, "compressor")?.as_deref() {
            None | Some("") => false,
            Some("vtkZLibDataCompressor") => true,
            Some(other) => {
                let remedy = "write it with zlib or without compression";
                return unknown("compressor", other, remedy);
            }
        };
        (self.big_endian, self.word, self.compressed) = (big_endian, word, compressed);
        Ok(())
    }

    fn header(&self, e: &BytesStart) -> Result<Header> {
        let text = |name| Ok::<_, Error>(self.attribute(e, name)?.unwrap_or_default());
        let type_name = text("type")?;
        let name = text("Name")?;
        let number = |key: &str| match self.attribute(e, key)? {
            None => Ok(None),
            Some(value) => (value.trim().parse::<usize>()).map(Some).map_err(|_| {
                self.damaged(format!("array {name:?}"), format!("{key} is {value:?}"))
            }),
        };
        Ok(Header {
            kind: Kind::of_vtu(&type_name),
            type_name,
            components: number("NumberOfComponents")?.unwrap_or(1).max(1),
            format: text("format")?,
            offset: number("offset")?,
            name,
        })
    }

    /// Decodes an array and puts it where it belongs.
    fn store(
        &self,
        piece: &mut Piece,
        section: Section,
        header: &Header,
        text: &[u8],
    ) -> Result<()> {
        if section == Section::Other {
            return Ok(());
        }
        let Some(kind) = header.kind else {
            tracing::warn!(
                "{}: array {:?} of type {:?} skipped",
                self.path.display(),
                header.name,
                header.type_name
            );
            return Ok(());
        };
        let in_cells = section == Section::Cells;
        if in_cells && !["connectivity", "offsets", "types"].contains(&header.name.as_str()) {
            return Ok(()); // Faces of polyhedra.
        }
        let values = self.values(header, kind, text)?;
        let array = |values| Array {
            name: header.name.clone(),
            components: header.components,
            values,
        };
        match (section, header.name.as_str()) {
            (Section::Points, _) => piece.coordinates = values,
            (Section::Cells, "connectivity") => piece.connectivity = values,
            (Section::Cells, "offsets") => piece.ends = values,
            (Section::Cells, _) => piece.types = values,
            (Section::PointData, _) => piece.point_arrays.push(array(values)),
            (Section::CellData, _) => piece.cell_arrays.push(array(values)),
            (Section::Other, _) => {}
        }
        Ok(())
    }

    fn values(&self, header: &Header, kind: Kind, text: &[u8]) -> Result<Vec<f64>> {
        let place = || format!("array {:?}", header.name);
        let bytes = match header.format.as_str() {
            "ascii" => {
                return text
                    .split(u8::is_ascii_whitespace)
                    .filter(|t| !t.is_empty())
                    .map(|t| {
                        parse(t).ok_or_else(|| {
                            let token = String::from_utf8_lossy(t).into_owned();
                            self.damaged(place(), format!("{token:?} is not a number"))
                        })
                    })
                    .collect();
            }
            "binary" => self.blocks(Stream::base64(text)),
            "appended" => {
                let data = header.offset.and_then(|o| self.appended.get(o..));
                match data {
                    Some(data) if self.appended_base64 => self.blocks(Stream::base64(data)),
                    Some(data) => self.blocks(Stream::Raw(data)),
                    None => Err(format!(
                        "offset {:?} beyond the appended data",
                        header.offset
                    )),
                }
            }
            other => Err(format!("format {other:?} is not known")),
        }
        .map_err(|problem| self.damaged(place(), problem))?;
        if bytes.len() % kind.size() != 0 {
            let problem = format!("{} bytes are no whole number of values", bytes.len());
            return Err(self.damaged(place(), problem));
        }
        Ok(kind.decode(&bytes, self.big_endian))
    }

    fn words(&self, bytes: &[u8]) -> Vec<usize> {
        let whole = |b: &[u8]| {
            let fold = |sum: u64, b: &u8| (sum << 8) | u64::from(*b);
            let value = match self.big_endian {
                true => b.iter().fold(0, fold),
                false => b.iter().rev().fold(0, fold),
            };
            usize::try_from(value).unwrap_or(usize::MAX)
        };
        bytes.chunks_exact(self.word).map(whole).collect()
    }

    /// Data behind its header: `[bytes] data`, or `[blocks, block size, last size, sizes…] blocks`
    /// when compressed.
    fn blocks(&self, mut stream: Stream) -> Result<Vec<u8>, String> {
        if !self.compressed {
            let length = self.words(&stream.take(self.word)?);
            return stream.take(length[0]);
        }
        let header = self.words(&stream.take(3 * self.word)?);
        let (count, full, last) = (header[0], header[1], header[2]);
        let sizes = self.words(&stream.take(count.saturating_mul(self.word))?);
        let mut data = Vec::new();
        for (block, &size) in sizes.iter().enumerate() {
            let packed = stream.take(size)?;
            let expected = if block + 1 == count && last != 0 {
                last
            } else {
                full
            };
            if expected > packed.len().saturating_mul(MOST_COMPRESSION) {
                return Err(format!(
                    "block {block} claims {expected} bytes out of {size}"
                ));
            }
            let before = data.len();
            ZlibDecoder::new(&packed[..])
                .take(expected as u64 + 1)
                .read_to_end(&mut data)
                .map_err(|e| format!("block {block} cannot be decompressed ({e})"))?;
            if data.len() - before != expected {
                let got = data.len() - before;
                return Err(format!("block {block} has {got} bytes, not {expected}"));
            }
        }
        Ok(data)
    }

    /// Appends a piece, checked against the counts it announced.
    fn append(&self, grid: &mut Grid, piece: Piece) -> Result<()> {
        let points = points_from(&piece.coordinates, self.path)?;
        for (what, found, announced) in [
            ("points", points.len(), piece.points),
            ("cell types", piece.types.len(), piece.cells),
            ("cell offsets", piece.ends.len(), piece.cells),
        ] {
            if found != announced {
                let problem = format!("{found} {what}, {announced} announced");
                return Err(self.damaged("Piece", problem));
            }
        }
        let (first_point, first_end) = (grid.points.len() as f64, grid.connectivity.len() as f64);
        let first_piece = grid.points.is_empty() && grid.cell_types.is_empty();
        grid.points.extend(points);
        grid.cell_types.extend(piece.types);
        grid.cell_ends
            .extend(piece.ends.iter().map(|e| e + first_end));
        grid.connectivity
            .extend(piece.connectivity.iter().map(|v| v + first_point));
        for (all, new) in [
            (&mut grid.point_arrays, piece.point_arrays),
            (&mut grid.cell_arrays, piece.cell_arrays),
        ] {
            for array in new {
                match all.iter_mut().find(|a| a.name == array.name) {
                    Some(a) if !first_piece && a.components == array.components => {
                        a.values.extend(array.values);
                    }
                    _ => all.push(array),
                }
            }
        }
        grid.check_arrays(self.path)
    }
}

/// What a piece holds before it is checked.
#[derive(Default)]
struct Piece {
    points: usize,
    cells: usize,
    coordinates: Vec<f64>,
    types: Vec<f64>,
    ends: Vec<f64>,
    connectivity: Vec<f64>,
    point_arrays: Vec<Array>,
    cell_arrays: Vec<Array>,
}

/// Bytes to take from the front, raw or out of base64.
enum Stream<'a> {
    Raw(&'a [u8]),
    /// Text left, and bytes decoded but not yet taken.
    Base64(&'a [u8], Vec<u8>),
}

impl<'a> Stream<'a> {
    fn base64(text: &'a [u8]) -> Self {
        Stream::Base64(text, Vec::new())
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, String> {
        let short = |have: usize| format!("{count} bytes announced, {have} left");
        match self {
            Stream::Raw(bytes) => {
                let taken = bytes.get(..count).ok_or_else(|| short(bytes.len()))?;
                *bytes = &bytes[count..];
                Ok(taken.to_vec())
            }
            Stream::Base64(text, ready) => {
                if count > ready.len() + text.len() {
                    return Err(short(ready.len() + text.len() / 4 * 3));
                }
                while ready.len() < count {
                    let Some(rest) = decode_group(text, ready)? else {
                        return Err(short(ready.len()));
                    };
                    *text = rest;
                }
                let rest = ready.split_off(count);
                Ok(std::mem::replace(ready, rest))
            }
        }
    }
}

/// Decodes the next four digits; a header encoded on its own ends in padding before the data, so
/// padding may come in the middle.
fn decode_group<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<Option<&'a [u8]>, String> {
    let mut bits = 0u32;
    let (mut digits, mut padding) = (0, 0);
    for (i, &c) in text.iter().enumerate() {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ if c.is_ascii_whitespace() => continue,
            _ => return Err(format!("{:?} is not base64", c as char)),
        };
        if (padding > 0 && c != b'=') || padding > 2 {
            return Err("base64 goes on after its padding".into());
        }
        bits = (bits << 6) | u32::from(digit);
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..4 - padding]);
            return Ok(Some(&text[i + 1..]));
        }
    }
    Ok(None)
}

/// The mesh as appended base64, zlib-compressed, with 64-bit headers.
fn encode(mesh: &TetMesh) -> std::io::Result<Vec<u8>> {
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
        let nine = |[xx, xy, xz, yy, yz, zz]: [f64; 6]| [xx, xy, xz, xy, yy, yz, xz, yz, zz];
        let full: Vec<[f64; 9]> = tensors.iter().map(|&t| nine(t)).collect();
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
