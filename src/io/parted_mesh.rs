//! A mesh file that also holds the part of each rank in one piece, so that every rank reads its own
//! and none reads the whole.
//!
//! ```text
//! /partition/offsets             u64 (parts+1,3)  first row of each part: vertices, tetrahedra, sends
//! /partition/owned               u32 (parts)      vertices that the part owns; its ghosts follow them
//! /partition/vertices            u32 (rows)       number in /mesh/points
//! /partition/owners              u32 (rows)       part that owns each vertex
//! /partition/points              f64 (rows,3)     mm
//! /partition/tetrahedra          u32 (rows,4)     vertices, numbered in the part
//! /partition/tetrahedra_numbers  u32 (rows)       number in /mesh/tetrahedra
//! /partition/sends               u32 (rows,2)     part, vertex: whose ghost is which owned vertex
//! /partition/tags, fibres, sheets, velocity_tensor, domains: as in /mesh, of the part's tetrahedra
//! attribute unit of each: mm, mm2/ms2, 1
//! ```

use std::path::{Path, PathBuf};

use hdf5::{File, Group, H5Type};

use crate::error::{Error, Result};
use crate::mesh::TetMesh;
use crate::mesh::formats::{open_file, put_text, write_error, write_with};
use crate::partition::local_mesh::{LocalMesh, Part, WholeMesh, parts_of};
use crate::tensor::Metric;

/// Writes `mesh`, whose vertices have parts 0 to `parts − 1`, with the slab of each part.
///
/// # Errors
/// [`Error::Io`].
pub fn write_parted(mesh: &TetMesh, parts: usize, path: &Path) -> Result<()> {
    write_with(mesh, path, |root| {
        let no_domains = vec![0; mesh.tetrahedron_count()];
        let whole = WholeMesh {
            points: &mesh.points,
            tetrahedra: &mesh.tetrahedra,
            // Speeds belong to the case: lengths are measured when a part is read.
            metric: &|_| Metric([f64::NAN; 6]),
            domains: mesh.domains.as_ref().unwrap_or(&no_domains),
            parts: mesh.parts.as_deref().unwrap_or_default(),
        };
        let mut slabs = Slabs::default();
        for part in parts_of(&whole, parts) {
            slabs.add(&part, whole.parts);
        }
        slabs.write(mesh, root, path)
    })
}

/// The parts, one after the other.
#[derive(Default)]
struct Slabs {
    offsets: Vec<[u64; 3]>,
    owned: Vec<u32>,
    vertices: Vec<u32>,
    owners: Vec<u32>,
    points: Vec<[f64; 3]>,
    tetrahedra: Vec<[u32; 4]>,
    numbers: Vec<u32>,
    sends: Vec<[u32; 2]>,
}

impl Slabs {
    fn ends(&self) -> [u64; 3] {
        [self.vertices.len(), self.tetrahedra.len(), self.sends.len()].map(|n| n as u64)
    }

    fn add(&mut self, part: &Part, owners: &[u32]) {
        let m = &part.mesh;
        self.offsets.push(self.ends());
        self.owned.push(m.owned as u32);
        let owner = |v: &u32| owners[*v as usize];
        self.owners.extend(m.global_vertices.iter().map(owner));
        self.vertices.extend(&m.global_vertices);
        self.points.extend(&m.points);
        self.tetrahedra.extend(&m.tetrahedra);
        self.numbers.extend(&m.global_tetrahedra);
        self.sends.extend(&part.sends);
    }

    fn write(mut self, mesh: &TetMesh, root: &Group, path: &Path) -> Result<()> {
        self.offsets.push(self.ends());
        let failed = |e: hdf5::Error| write_error(path, &e);
        let group = root.create_group("partition").map_err(failed)?;
        let to = Target {
            group: &group,
            path,
        };
        to.rows("offsets", &self.offsets)?;
        to.list("owned", &self.owned)?;
        to.list("vertices", &self.vertices)?;
        to.list("owners", &self.owners)?;
        to.rows("points", &self.points)?;
        to.rows("tetrahedra", &self.tetrahedra)?;
        to.list("tetrahedra_numbers", &self.numbers)?;
        to.rows("sends", &self.sends)?;
        let numbers = || self.numbers.iter().map(|t| *t as usize);
        to.list("tags", &numbers().map(|t| mesh.tags[t]).collect::<Vec<_>>())?;
        if let Some(all) = &mesh.fibres {
            to.rows("fibres", &numbers().map(|t| all[t]).collect::<Vec<_>>())?;
        }
        if let Some(all) = &mesh.sheets {
            to.rows("sheets", &numbers().map(|t| all[t]).collect::<Vec<_>>())?;
        }
        if let Some(all) = &mesh.velocity_tensor {
            let of_parts: Vec<_> = numbers().map(|t| all[t]).collect();
            to.rows("velocity_tensor", &of_parts)?;
        }
        if let Some(all) = &mesh.domains {
            to.list("domains", &numbers().map(|t| all[t]).collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

struct Target<'a> {
    group: &'a Group,
    path: &'a Path,
}

impl Target<'_> {
    fn put<T: H5Type>(&self, name: &str, shape: &[usize], values: &[T]) -> Result<()> {
        let unit = match name {
            "points" => "mm",
            "velocity_tensor" => "mm2/ms2",
            _ => "1",
        };
        let create = || {
            let dataset = self.group.new_dataset::<T>().shape(shape).create(name)?;
            if !values.is_empty() {
                dataset.write_raw(values)?;
            }
            put_text(&dataset, "unit", unit)
        };
        create().map_err(|e| write_error(self.path, &e))
    }

    fn list<T: H5Type>(&self, name: &str, values: &[T]) -> Result<()> {
        self.put(name, &[values.len()], values)
    }

    fn rows<T: H5Type, const C: usize>(&self, name: &str, values: &[[T; C]]) -> Result<()> {
        self.put(name, &[values.len(), C], values.as_flattened())
    }
}

/// A partitioned mesh file, open for reading.
pub struct PartedMesh {
    path: PathBuf,
    file: File,
    offsets: Vec<[u64; 3]>,
}

impl PartedMesh {
    /// `None`: the file holds no parts.
    ///
    /// # Errors
    /// Those of [`open_file`]; [`Error::BadFile`] where the parts are damaged; so of all methods here.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let file = open_file(path, "it may be truncated; make or copy it again")?;
        if !file.link_exists("partition") {
            return Ok(None);
        }
        let mut parted = Self {
            path: path.to_owned(),
            file,
            offsets: Vec::new(),
        };
        let parts = parted.rows_in("/partition/owned")?;
        parted.offsets = parted.read("offsets", 0..parts as u64 + 1)?;
        let ascend = |w: &[[u64; 3]]| (0..3).all(|i| w[0][i] <= w[1][i]);
        if !parted.offsets.windows(2).all(ascend) {
            return Err(parted.bad("offsets", "they do not ascend"));
        }
        Ok(Some(parted))
    }

    pub fn parts(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Vertices and tetrahedra of the whole mesh.
    pub fn size(&self) -> Result<[usize; 2]> {
        Ok([
            self.rows_in("/mesh/points")?,
            self.rows_in("/mesh/tetrahedra")?,
        ])
    }

    /// Part `part`, without lengths and with domains 0, and its tetrahedra as a mesh of its own, in
    /// the numbering of the part.
    pub fn part(&self, part: usize) -> Result<(Part, TetMesh)> {
        let [first, end] = [self.offsets[part], self.offsets[part + 1]];
        let [vertices, tetrahedra, sends] = [0, 1, 2].map(|i| first[i]..end[i]);
        let owned = self.read::<u32, 1>("owned", part as u64..part as u64 + 1)?[0][0] as usize;
        let global_vertices = self.list::<u32>("vertices", &vertices)?;
        let mut owners = self.list::<u32>("owners", &vertices)?;
        let points: Vec<[f64; 3]> = self.read("points", vertices.clone())?;
        let corners: Vec<[u32; 4]> = self.read("tetrahedra", tetrahedra.clone())?;
        let global_tetrahedra = self.list::<u32>("tetrahedra_numbers", &tetrahedra)?;
        let sends: Vec<[u32; 2]> = self.read("sends", sends)?;
        let [n, m] = self.size()?.map(|n| n as u32);
        let (held, parts) = (points.len() as u32, self.parts() as u32);
        let within = |list: &[u32], end: u32| list.iter().all(|x| *x < end);
        if owned > points.len()
            || !within(&global_vertices, n)
            || !within(&global_tetrahedra, m)
            || !within(&owners, parts)
            || !within(corners.as_flattened(), held)
            || !sends.iter().all(|s| s[0] < parts && s[1] < owned as u32)
        {
            return Err(self.bad("", "a number is out of range"));
        }
        let mut mesh = TetMesh::new(points.clone(), corners.clone());
        mesh.tags = self.list("tags", &tetrahedra)?;
        let has = |name: &str| self.file.link_exists(&format!("partition/{name}"));
        if has("fibres") {
            mesh.fibres = Some(self.read("fibres", tetrahedra.clone())?);
        }
        if has("sheets") {
            mesh.sheets = Some(self.read("sheets", tetrahedra.clone())?);
        }
        if has("velocity_tensor") {
            mesh.velocity_tensor = Some(self.read("velocity_tensor", tetrahedra.clone())?);
        }
        if has("domains") {
            mesh.domains = Some(self.list("domains", &tetrahedra)?);
        }
        let part = Part {
            ghost_ranks: owners.split_off(owned),
            sends,
            mesh: LocalMesh {
                owned,
                global_vertices,
                points,
                domains: vec![0; corners.len()],
                tetrahedra: corners,
                global_tetrahedra,
                ..LocalMesh::default()
            },
        };
        Ok((part, mesh))
    }

    fn bad(&self, name: &str, problem: &str) -> Error {
        bad(&self.path, &format!("/partition/{name}"), problem)
    }

    fn rows_in(&self, dataset: &str) -> Result<usize> {
        let shape = self.file.dataset(dataset).and_then(|d| d.get_shape());
        let shape = shape.map_err(|e| bad(&self.path, dataset, e))?;
        Ok(shape.first().copied().unwrap_or(0))
    }

    fn list<T: H5Type + Copy + Default>(
        &self,
        name: &str,
        rows: &std::ops::Range<u64>,
    ) -> Result<Vec<T>> {
        Ok(self.read::<T, 1>(name, rows.clone())?.into_flattened())
    }

    /// Rows of C numbers.
    fn read<T: H5Type + Copy + Default, const C: usize>(
        &self,
        name: &str,
        rows: std::ops::Range<u64>,
    ) -> Result<Vec<[T; C]>> {
        let failed = |e: hdf5::Error| self.bad(name, &e.to_string());
        let dataset = (self.file.dataset(&format!("partition/{name}"))).map_err(failed)?;
        let shape = dataset.get_shape().map_err(failed)?;
        let fits = match shape[..] {
            [count] => C == 1 && rows.end <= count as u64,
            [count, c] => c == C && rows.end <= count as u64,
            _ => false,
        };
        if !fits {
            return Err(self.bad(name, &format!("has the shape {shape:?}")));
        }
        let rows = rows.start as usize..rows.end as usize;
        let values = if shape.len() == 1 {
            (dataset.read_slice_1d::<T, _>(rows)).map(|a| a.into_raw_vec_and_offset().0)
        } else {
            (dataset.read_slice_2d::<T, _>((rows, ..))).map(|a| a.into_raw_vec_and_offset().0)
        };
        let values = values.map_err(failed)?;
        Ok(values
            .chunks_exact(C)
            .map(|row| std::array::from_fn(|i| row[i]))
            .collect())
    }
}

fn bad(path: &Path, place: &str, problem: impl ToString) -> Error {
    let problem = problem.to_string();
    let first = problem.lines().next().unwrap_or("damaged").to_owned();
    Error::bad_file(
        path,
        place,
        first,
        "make the file again with `isochrone mesh partition`",
    )
}
