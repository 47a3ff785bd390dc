//! XDMF of cells of a Cartesian grid: frames in time, and what is known at the end.

use std::fmt::Write;

use quick_xml::escape::escape;

use super::xdmf::NumberType;
use crate::monodomain::grid::Grid;

/// Frames in `/fk/frames`.
#[derive(Debug, Clone, PartialEq)]
pub struct Frames {
    /// ms.
    pub times: Vec<f64>,
    /// Datasets of frames × grid, f32.
    pub variables: Vec<String>,
}

/// A grid with its frames and fields, as datasets of one HDF5 file.
#[derive(Debug)]
pub struct Cells {
    grid: Grid,
    frames: Option<Frames>,
    fields: Vec<(String, NumberType)>,
    /// Cells in tissue; none: all.
    active: Option<Vec<bool>>,
}

impl Cells {
    pub fn new(grid: &Grid, frames: Option<Frames>) -> Self {
        Self {
            grid: grid.clone(),
            frames,
            fields: Vec::new(),
            active: None,
        }
    }

    /// Shape of the fields.
    pub fn file_shape(&self) -> &[usize] {
        self.grid.file_shape()
    }

    pub(super) fn grid(&self) -> &Grid {
        &self.grid
    }

    pub(super) fn frames(&self) -> Option<&Frames> {
        self.frames.as_ref()
    }

    pub(super) fn fields(&self) -> &[(String, NumberType)] {
        &self.fields
    }

    /// Only these cells are tissue; the others are not shown where a format can hide them.
    pub fn only(&mut self, active: &[bool]) {
        self.active = Some(active.to_vec());
    }

    pub(super) fn active(&self) -> Option<&[bool]> {
        self.active.as_deref()
    }

    /// Shows `dataset` under the last part of its name.
    pub fn add(&mut self, dataset: &str, number: NumberType) {
        self.fields.retain(|(name, _)| name != dataset);
        self.fields.push((dataset.to_owned(), number));
    }

    /// The XML, for arrays in the file `hdf5_name` of the same folder: a temporal collection
    /// "frames" and a grid "final".
    pub fn xml(&self, hdf5_name: &str) -> String {
        let mut xml = String::from(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Xdmf Version=\"2.0\">\n  <Domain>\n",
        );
        let frames = self.frames.as_ref().filter(|f| !f.times.is_empty());
        if let Some(frames) = frames {
            let collection = r#"GridType="Collection" CollectionType="Temporal""#;
            xml += &format!("    <Grid Name=\"frames\" {collection}>\n");
            for (i, time) in frames.times.iter().enumerate() {
                let mut inside = format!("        <Time Value=\"{time}\"/>\n");
                for name in &frames.variables {
                    inside += &self.attribute(name, &self.frame(i, frames, name, hdf5_name));
                }
                xml += &self.uniform(&format!("frame {i}"), &inside);
            }
            xml += "    </Grid>\n";
        }
        if !self.fields.is_empty() || frames.is_none() {
            let mut inside = String::new();
            for (dataset, number) in &self.fields {
                let name = dataset.rsplit('/').next().unwrap_or(dataset);
                let dimensions = self.dimensions();
                inside += &self.attribute(name, &hdf(*number, &dimensions, hdf5_name, dataset));
            }
            xml += &self.uniform("final", &inside);
        }
        xml + "  </Domain>\n</Xdmf>\n"
    }

    /// A grid with what is `inside`. Always of three axes: a plane is one cell thick.
    fn uniform(&self, name: &str, inside: &str) -> String {
        let [nz, ny, nx] = self.grid.shape.map(|n| n + 1);
        let [dz, dy, dx] = self.grid.spacing;
        let [ox, oy, oz] = self.grid.origin;
        let three = r#"<DataItem Format="XML" NumberType="Float" Precision="8" Dimensions="3">"#;
        format!(
            r#"      <Grid Name="{name}" GridType="Uniform">
        <Topology TopologyType="3DCoRectMesh" Dimensions="{nz} {ny} {nx}"/>
        <Geometry GeometryType="ORIGIN_DXDYDZ">
          {three}{oz} {oy} {ox}</DataItem>
          {three}{dz} {dy} {dx}</DataItem>
        </Geometry>
{inside}      </Grid>
"#
        )
    }

    fn attribute(&self, name: &str, item: &str) -> String {
        let mut xml = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            xml,
            r#"        <Attribute Name="{}" AttributeType="Scalar" Center="Cell">
          {item}
        </Attribute>
"#,
            escape(name)
        );
        xml
    }

    /// Frame `i` of a variable: a part of its dataset.
    fn frame(&self, i: usize, frames: &Frames, name: &str, hdf5_name: &str) -> String {
        let shape = self.file_shape();
        let rank = shape.len() + 1;
        let spaced = |numbers: &[usize]| {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            numbers.join(" ")
        };
        let (mut start, mut count) = (vec![0; rank], vec![1]);
        start[0] = i;
        count.extend(shape);
        let mut all = count.clone();
        all[0] = frames.times.len();
        let dataset = format!("/fk/frames/{name}");
        format!(
            r#"<DataItem ItemType="HyperSlab" Dimensions="{}" Type="HyperSlab">
            <DataItem Format="XML" NumberType="Int" Dimensions="3 {rank}">{} {} {}</DataItem>
            {}
          </DataItem>"#,
            self.dimensions(),
            spaced(&start),
            spaced(&vec![1; rank]),
            spaced(&count),
            hdf(NumberType::F32, &spaced(&all), hdf5_name, &dataset)
        )
    }

    fn dimensions(&self) -> String {
        let [nz, ny, nx] = self.grid.shape;
        format!("{nz} {ny} {nx}")
    }
}

fn hdf(number: NumberType, dimensions: &str, hdf5_name: &str, dataset: &str) -> String {
    format!(
        "<DataItem Format=\"HDF\" {} Dimensions=\"{dimensions}\">{}:{}</DataItem>",
        number.xdmf(),
        escape(hdf5_name),
        escape(dataset)
    )
}
