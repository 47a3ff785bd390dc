//! Text files of rows of numbers: the words of each line, with its number for errors.

use std::io::Write;
use std::path::Path;

use super::numbers::parse;
use crate::atomic_file::Partial;
use crate::error::{Error, Result};

/// Writes and syncs a file beside `path`, to be completed.
pub fn text_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<Partial> {
    let (partial, file) = Partial::create(path)?;
    let mut out = std::io::BufWriter::new(file);
    write(&mut out)
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all())
        .map_err(|e| Error::io(path, "write", &e))?;
    Ok(partial)
}

/// The words of each line that has any, with its number.
pub struct Lines<'a> {
    path: &'a Path,
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    pub fn bad(&self, problem: impl Into<String>, remedy: &str) -> Error {
        Error::bad_file(self.path, format!("line {}", self.number), problem, remedy)
    }

    pub fn next(&mut self) -> Option<impl Iterator<Item = &'a [u8]> + use<'a>> {
        while !self.rest.is_empty() {
            let end = (self.rest.iter().position(|&b| b == b'\n')).unwrap_or(self.rest.len());
            let line = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            self.number += 1;
            if !line.is_empty() && line[0] != b'#' {
                let words = line.split(u8::is_ascii_whitespace);
                return Some(words.filter(|w| !w.is_empty()));
            }
        }
        None
    }

    /// The count on the first line; no line is shorter than two bytes.
    pub fn count(&mut self, what: &str) -> Result<usize> {
        let word = self.next().and_then(|mut words| words.next());
        let count = word
            .and_then(|w| std::str::from_utf8(w).ok()?.parse::<usize>().ok())
            .ok_or_else(|| self.bad(format!("no number of {what}"), "the first line is a count"))?;
        self.claim(count, what)?;
        Ok(count)
    }

    /// Refuses `count` rows that the rest of the file cannot hold.
    pub fn claim(&self, count: usize, what: &str) -> Result<()> {
        if count > self.rest.len() {
            let problem = format!("{count} {what} in {} bytes", self.rest.len());
            return Err(self.bad(problem, "the file may be truncated; copy it again"));
        }
        Ok(())
    }

    pub fn row(
        &mut self,
        row: usize,
        count: usize,
        what: &str,
    ) -> Result<impl Iterator<Item = &'a [u8]> + use<'a>> {
        self.next().ok_or_else(|| {
            let problem = format!("the file ends after {row} of {count} {what}");
            self.bad(problem, "the file may be truncated; copy it again")
        })
    }

    pub fn floats<const C: usize>(
        &self,
        mut words: impl Iterator<Item = &'a [u8]>,
    ) -> Result<[f64; C]> {
        let mut values = [0.0; C];
        for value in &mut values {
            *value = words.next().and_then(parse).ok_or_else(|| {
                self.bad(
                    format!("no {C} numbers"),
                    "the file may be damaged; make it again",
                )
            })?;
        }
        Ok(values)
    }

    /// Nothing but blank lines may follow.
    pub fn end(&mut self, count: usize, what: &str) -> Result<()> {
        match self.next() {
            None => Ok(()),
            Some(_) => {
                let problem = format!("more lines than the {count} {what} of the first line");
                Err(self.bad(problem, "correct the count"))
            }
        }
    }
}

pub fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io(path, "read", &e))
}

pub fn lines<'a>(path: &'a Path, bytes: &'a [u8]) -> Lines<'a> {
    Lines {
        path,
        rest: bytes,
        number: 0,
    }
}

/// A whole number in the range of `T`.
pub fn whole<T: std::str::FromStr>(word: Option<&[u8]>) -> Option<T> {
    std::str::from_utf8(word?).ok()?.parse().ok()
}
