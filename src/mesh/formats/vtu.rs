//! VTU, VTK's XML file of unstructured grids: ascii, inline binary, appended (raw or base64),
//! plain or zlib-compressed, 32- and 64-bit headers, both byte orders, several pieces.
//!
//! Appended raw data is not XML: the file is cut at `<AppendedData` before the XML is read.
//! Recognised arrays: see [`super::grid`]. Layout: VTK's "XML File Formats" document.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::grid::{Array, Grid, points_from};
use super::numbers::{Kind, parse};
use super::vtu_data::{Encoding, Stream};
use super::vtu_write::encode;
use super::{FileMesh, MeshFormat};
use crate::atomic_file::replace;
use crate::error::{Error, Result};
use crate::mesh::TetMesh;

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
    encoding: Encoding,
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
            encoding: Encoding::default(),
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
        self.encoding = Encoding {
            big_endian,
            word,
            compressed,
        };
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
            "binary" => self.encoding.blocks(Stream::base64(text)),
            "appended" => {
                let data = header.offset.and_then(|o| self.appended.get(o..));
                match data {
                    Some(data) if self.appended_base64 => {
                        self.encoding.blocks(Stream::base64(data))
                    }
                    Some(data) => self.encoding.blocks(Stream::Raw(data)),
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
        Ok(kind.decode(&bytes, self.encoding.big_endian))
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
