//! Numbers and sections of a Gmsh file, ascii or binary, from bytes that are not trusted.

use std::path::Path;

use super::numbers::parse;
use crate::error::{Error, Result};
use crate::tensor::Vec3;

/// Sections that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Entities,
    Nodes,
    Elements,
    NodeData,
    ElementData,
    Other,
}

/// How a file lays out its sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// 2.0 to 2.2.
    V2,
    V40,
    V41,
}

/// The rest of a file.
pub struct Reader<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    section: String,
    pub layout: Layout,
    pub binary: bool,
    big_endian: bool,
}

impl<'a> Reader<'a> {
    /// Reads `$MeshFormat`.
    pub fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Self {
            path,
            bytes,
            at: 0,
            section: String::new(),
            layout: Layout::V41,
            binary: false,
            big_endian: false,
        };
        if reader.line().ok().as_deref() != Some("$MeshFormat") {
            let problem = "does not begin with $MeshFormat";
            return Err(reader.bad(problem, "give a mesh that Gmsh has saved as .msh"));
        }
        let head = reader.line()?;
        let words: Vec<&str> = head.split_whitespace().collect();
        let &[version, file_type, size] = &words[..] else {
            let problem = format!("{head:.40?} is not \"version file-type data-size\"");
            return Err(reader.damaged(problem));
        };
        reader.layout = match version {
            "2" | "2.0" | "2.1" | "2.2" => Layout::V2,
            "4" | "4.0" => Layout::V40,
            "4.1" => Layout::V41,
            _ => {
                let problem = format!("Gmsh's file format {version:.20}");
                let remedy = "save as version 4.1 or 2.2: gmsh old.msh -0 -format msh41 -o new.msh";
                return Err(reader.bad(problem, remedy));
            }
        };
        reader.binary = match file_type {
            "0" => false,
            "1" => true,
            _ => {
                return Err(reader.damaged(format!("the file type is {file_type:.20}, not 0 or 1")));
            }
        };
        if size != "8" {
            let problem = format!("numbers of {size:.20} bytes");
            return Err(reader.bad(problem, "save the mesh with a 64-bit Gmsh"));
        }
        if reader.binary {
            let one = reader.take::<4>()?;
            reader.big_endian = match (i32::from_le_bytes(one), i32::from_be_bytes(one)) {
                (1, _) => false,
                (_, 1) => true,
                _ => return Err(reader.damaged("the mark of the byte order is not 1")),
            };
        }
        reader.section = "MeshFormat".into();
        reader.end_section()?;
        Ok(reader)
    }

    fn place(&self) -> String {
        if self.binary {
            return format!("byte {}", self.at);
        }
        let passed = &self.bytes[..self.at];
        let breaks = passed.iter().filter(|b| **b == b'\n').count();
        // After a line is read, `at` is behind its end.
        format!(
            "line {}",
            breaks + usize::from(passed.last() != Some(&b'\n'))
        )
    }

    pub fn bad(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::bad_file(self.path, self.place(), problem, remedy)
    }

    pub fn damaged(&self, problem: impl Into<String>) -> Error {
        self.bad(
            problem,
            "the file may be damaged or truncated; save or copy it again",
        )
    }

    fn ended(&self) -> Error {
        self.damaged(format!("the file ends within ${}", self.section))
    }

    fn skip_space(&mut self) {
        let rest = &self.bytes[self.at..];
        let space = rest.iter().position(|b| !b.is_ascii_whitespace());
        self.at += space.unwrap_or(rest.len());
    }

    /// The next line that is not blank.
    pub fn line(&mut self) -> Result<String> {
        self.skip_space();
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Err(self.ended());
        }
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        self.at += (end + 1).min(rest.len());
        Ok(String::from_utf8_lossy(&rest[..end]).trim().to_owned())
    }

    /// Enters the next section; `None` at the end of the file.
    pub fn section(&mut self) -> Result<Option<Section>> {
        self.skip_space();
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let line = self.line()?;
        let Some(name) = line.strip_prefix('$') else {
            return Err(self.damaged(format!("{line:.40?} where a section should begin")));
        };
        self.section = name.to_owned();
        Ok(Some(match name {
            "Entities" => Section::Entities,
            "Nodes" => Section::Nodes,
            "Elements" => Section::Elements,
            "NodeData" => Section::NodeData,
            "ElementData" => Section::ElementData,
            _ => Section::Other,
        }))
    }

    /// Leaves a section that was read.
    pub fn end_section(&mut self) -> Result<()> {
        let expected = format!("$End{}", self.section);
        match self.line() {
            Ok(line) if line == expected => Ok(()),
            Ok(line) => Err(self.damaged(format!("{line:.40?} where {expected} should be"))),
            Err(_) => Err(self.ended()),
        }
    }

    /// Leaves a section that is not read.
    pub fn skip_section(&mut self) -> Result<()> {
        let end = format!("$End{}", self.section);
        let rest = &self.bytes[self.at..];
        let found = rest.windows(end.len()).position(|w| w == end.as_bytes());
        let Some(found) = found else {
            return Err(self.ended());
        };
        self.at += found + end.len();
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.bytes[self.at..].first_chunk::<N>().copied();
        let taken = taken.ok_or_else(|| self.ended())?;
        self.at += N;
        Ok(taken)
    }

    fn word(&mut self) -> Result<&'a [u8]> {
        self.skip_space();
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Err(self.ended());
        }
        let end = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        self.at += end;
        Ok(&rest[..end])
    }

    fn text_integer(&mut self) -> Result<i64> {
        let word = self.word()?;
        let number = std::str::from_utf8(word).ok().and_then(|w| w.parse().ok());
        number.ok_or_else(|| {
            let word = String::from_utf8_lossy(word);
            self.damaged(format!("{word:.40?} is no whole number"))
        })
    }

    /// An `int`.
    pub fn int(&mut self) -> Result<i64> {
        if !self.binary {
            return self.text_integer();
        }
        let bytes = self.take::<4>()?;
        Ok(i64::from(match self.big_endian {
            true => i32::from_be_bytes(bytes),
            false => i32::from_le_bytes(bytes),
        }))
    }

    /// A `size_t`.
    pub fn size(&mut self) -> Result<i64> {
        if !self.binary {
            return self.text_integer();
        }
        let bytes = self.take::<8>()?;
        Ok(match self.big_endian {
            true => i64::from_be_bytes(bytes),
            false => i64::from_le_bytes(bytes),
        })
    }

    /// Passes the least and the largest number of a section.
    pub fn pass_range(&mut self) -> Result<()> {
        self.size()?;
        self.size().map(|_| ())
    }

    pub fn double(&mut self) -> Result<f64> {
        if !self.binary {
            let word = self.word()?;
            return parse(word).ok_or_else(|| {
                let word = String::from_utf8_lossy(word);
                self.damaged(format!("{word:.40?} is no number"))
            });
        }
        let bytes = self.take::<8>()?;
        Ok(match self.big_endian {
            true => f64::from_be_bytes(bytes),
            false => f64::from_le_bytes(bytes),
        })
    }

    pub fn point(&mut self) -> Result<Vec3> {
        Ok([self.double()?, self.double()?, self.double()?])
    }

    /// Least bytes of so many `int` and `double`.
    pub fn bytes_of(&self, ints: usize, doubles: usize) -> usize {
        match self.binary {
            true => 4 * ints + 8 * doubles,
            false => 2 * (ints + doubles),
        }
    }

    /// Least bytes of so many `size_t` and `double`.
    pub fn bytes_of_sizes(&self, sizes: usize, doubles: usize) -> usize {
        self.bytes_of(0, sizes + doubles)
    }

    /// Refuses `count` things of at least `bytes` each that the rest of the file cannot hold.
    pub fn claim(&self, count: usize, bytes: usize, what: &str) -> Result<()> {
        let rest = self.bytes.len() - self.at;
        // The last word needs no space behind it.
        if count.saturating_mul(bytes) > rest + 1 {
            return Err(self.damaged(format!("{count} {what} in {rest} bytes")));
        }
        Ok(())
    }

    /// A count within a section: `int` in version 2.2, `size_t` later (4.0: `unsigned long`).
    pub fn count_of(&mut self, what: &str, bytes: usize) -> Result<usize> {
        let number = match self.layout {
            Layout::V2 => self.int()?,
            Layout::V40 | Layout::V41 => self.size()?,
        };
        let count = usize::try_from(number);
        let count = count.map_err(|_| self.damaged(format!("{number} {what}")))?;
        self.claim(count, bytes, what)?;
        Ok(count)
    }

    /// A count on a line of its own, which is text even in binary files.
    pub fn line_count(&mut self, what: &str, bytes: usize) -> Result<usize> {
        let line = self.line()?;
        let count = line.parse();
        let count =
            count.map_err(|_| self.damaged(format!("{line:.40?} is no number of {what}")))?;
        self.claim(count, bytes.max(1), what)?;
        Ok(count)
    }
}
