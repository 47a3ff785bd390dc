//! XDMF: a small XML file by which ParaView and others read the arrays of an HDF5 file.
//!
//! Format: <https://www.xdmf.org/index.php/XDMF_Model_and_Format>, version 2, which both of VTK's
//! readers understand.

use std::fmt::Write;
use std::path::Path;

use quick_xml::escape::escape;

use crate::atomic_file::{Partial, write_beside};
use crate::error::{Error, Result};

/// What values lie on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    Vertices,
    Tetrahedra,
}

impl Centre {
    /// As in our attribute `on`.
    pub fn name(self) -> &'static str {
        match self {
            Centre::Vertices => "points",
            Centre::Tetrahedra => "tetrahedra",
        }
    }

    fn xdmf(self) -> &'static str {
        match self {
            Centre::Vertices => "Node",
            Centre::Tetrahedra => "Cell",
        }
    }
}

/// Type of numbers in a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    F32,
    F64,
    I32,
    U32,
}

impl NumberType {
    pub(super) fn xdmf(self) -> &'static str {
        match self {
            NumberType::F32 => r#"NumberType="Float" Precision="4""#,
            NumberType::F64 => r#"NumberType="Float" Precision="8""#,
            NumberType::I32 => r#"NumberType="Int" Precision="4""#,
            NumberType::U32 => r#"NumberType="UInt" Precision="4""#,
        }
    }
}

/// A mesh in `/mesh` and what is known on it, as datasets of one HDF5 file.
#[derive(Debug)]
pub struct Grid {
    vertices: usize,
    tetrahedra: usize,
    attributes: Vec<Attribute>,
}

/// Values on vertices or tetrahedra, in a dataset.
#[derive(Debug)]
pub struct Attribute {
    pub dataset: String,
    pub centre: Centre,
    pub components: usize,
    pub number: NumberType,
}

impl Grid {
    pub fn new(vertices: usize, tetrahedra: usize) -> Self {
        Self {
            vertices,
            tetrahedra,
            attributes: Vec::new(),
        }
    }

    /// Number of vertices or tetrahedra.
    pub fn entities(&self, centre: Centre) -> usize {
        match centre {
            Centre::Vertices => self.vertices,
            Centre::Tetrahedra => self.tetrahedra,
        }
    }

    /// Shows `dataset` under the last part of its name; again: what it has become.
    pub fn add(&mut self, dataset: &str, centre: Centre, components: usize, number: NumberType) {
        self.attributes.retain(|a| a.dataset != dataset);
        self.attributes.push(Attribute {
            dataset: dataset.to_string(),
            centre,
            components,
            number,
        });
    }

    /// What is shown.
    pub(super) fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// The XML, for arrays in the file `hdf5_name` of the same folder.
    pub(super) fn xml(&self, hdf5_name: &str) -> String {
        let (n, m) = (self.vertices, self.tetrahedra);
        let item = |number: NumberType, dimensions: &str, dataset: &str| {
            format!(
                "<DataItem Format=\"HDF\" {} Dimensions=\"{dimensions}\">{}:{}</DataItem>",
                number.xdmf(),
                escape(hdf5_name),
                escape(dataset)
            )
        };
        let topology = item(NumberType::U32, &format!("{m} 4"), "/mesh/tetrahedra");
        let geometry = item(NumberType::F64, &format!("{n} 3"), "/mesh/points");
        let mut xml = format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
<Xdmf Version="2.0">
  <Domain>
    <Grid Name="mesh" GridType="Uniform">
      <Topology TopologyType="Tetrahedron" NumberOfElements="{m}">
        {topology}
      </Topology>
      <Geometry GeometryType="XYZ">
        {geometry}
      </Geometry>
"#
        );
        for a in &self.attributes {
            let (kind, columns) = match a.components {
                1 => ("Scalar", String::new()),
                3 => ("Vector", " 3".into()),
                6 => ("Tensor6", " 6".into()),
                c => ("Matrix", format!(" {c}")),
            };
            let name = a.dataset.rsplit('/').next().unwrap_or(&a.dataset);
            let dimensions = format!("{}{columns}", self.entities(a.centre));
            // Writing to a String cannot fail.
            let _ = write!(
                xml,
                r#"      <Attribute Name="{}" AttributeType="{kind}" Center="{}">
        {}
      </Attribute>
"#,
                escape(name),
                a.centre.xdmf(),
                item(a.number, &dimensions, &a.dataset)
            );
        }
        xml + "    </Grid>\n  </Domain>\n</Xdmf>\n"
    }
}

/// Writes what will be `NAME.xdmf` beside the HDF5 file `NAME.h5`.
pub(super) fn write(hdf5: &Path, xml: &str) -> Result<Partial> {
    let name = hdf5.file_name().unwrap_or_default().to_string_lossy();
    if name.contains(':') {
        // XDMF separates file and dataset by a colon.
        return Err(Error::Usage {
            problem: format!(
                "{}: ParaView cannot open a file with a colon in its name",
                hdf5.display()
            ),
            remedy: "choose another name".into(),
        });
    }
    write_beside(&hdf5.with_extension("xdmf"), xml.as_bytes())
}
