//! Nodes and elements of a Gmsh file of version 4.0, which Gmsh 4.0 and 4.1 wrote.
//!
//! Blocks by entity as in 4.1, but the entity's number comes before its dimension, a node's number
//! beside its coordinates, and numbers of nodes and elements are `int`.
//!
//! ```text
//! $Nodes     blocks nodes, then for each block
//!            entity dimension parametric nodes, then  number x y z [u [v]]  for each node
//! $Elements  blocks elements, then for each block
//!            entity dimension type elements, then  number node …  for each element
//! ```
//! Layout: section "MSH file format version 4.0 (Legacy)" of Gmsh's manual.

use super::gmsh::{Content, corners};
use super::gmsh_reader::Reader;
use crate::error::Result;

impl Content {
    pub(super) fn nodes_40(&mut self, reader: &mut Reader) -> Result<()> {
        let blocks = reader.size()?;
        let total = reader.count_of("nodes", reader.bytes_of(1, 3))?;
        for _ in 0..blocks {
            let (_, dimension, parametric) = (reader.int()?, reader.int()?, reader.int()?);
            let count = reader.count_of("nodes of a block", reader.bytes_of(1, 3))?;
            // On curves and surfaces alone.
            let parameters = match dimension {
                1 | 2 if parametric != 0 => dimension,
                _ => 0,
            };
            for _ in 0..count {
                self.nodes.push((reader.int()?, reader.point()?));
                for _ in 0..parameters {
                    reader.double()?;
                }
            }
        }
        self.agree(reader, "nodes", self.nodes.len(), total)
    }

    pub(super) fn elements_40(&mut self, reader: &mut Reader) -> Result<()> {
        let blocks = reader.size()?;
        let total = reader.count_of("elements", reader.bytes_of(2, 0))?;
        let mut read = 0;
        for _ in 0..blocks {
            let (entity, dimension, kind) = (reader.int()?, reader.int()?, reader.int()?);
            let corners = corners(reader, kind)?;
            let bytes = reader.bytes_of(1 + corners, 0);
            let count = reader.count_of("elements of a block", bytes)?;
            let label = self.label_of(dimension, entity);
            for _ in 0..count {
                let number = reader.int()?;
                self.element(reader, number, kind, corners, label)?;
            }
            read += count;
        }
        self.agree(reader, "elements", read, total)
    }
}
