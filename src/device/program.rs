//! A program for a device: CUDA C++ sources that lie beside their Rust twins, and what they are
//! compiled with.

use std::fmt::Write;

/// The shim through which the sources are CUDA C++ and host C++ alike.
const SHIM: (&str, &str) = ("device/shim.cuh", include_str!("shim.cuh"));

/// Sources that are compiled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub name: &'static str,
    /// Macros with their values: number type, cell model.
    pub defines: Vec<(&'static str, String)>,
    /// Paths below `src/` and text, in order; the shim comes before them.
    pub sources: Vec<(&'static str, &'static str)>,
    /// Names of its kernels.
    pub kernels: &'static [&'static str],
}

impl Program {
    /// One text, in which messages keep their file and line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.defines {
            let _ = writeln!(text, "#define {name} {value}");
        }
        for (path, source) in std::iter::once(&SHIM).chain(&self.sources) {
            let _ = writeln!(text, "#line 1 \"src/{path}\"\n{source}");
        }
        text
    }
}

/// C++ name of the number type with so many bytes.
pub fn number(bytes: usize) -> String {
    if bytes == 4 { "float" } else { "double" }.into()
}
