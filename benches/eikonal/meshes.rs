//! The meshes of the benchmark.

use isochrone::comm::Communicator;
use isochrone::comm::solo::Solo;
use isochrone::mesh::TetMesh;
use isochrone::mesh::generate::{Generator, generate, kuhn};
use isochrone::partition::local_mesh::{LocalMesh, WholeMesh, distribute};
use isochrone::partition::{material_domains, wave_parts};
use isochrone::tensor::{Metric, VelocityTensor};

use super::{DOMAINS, SOURCE};

const SPEEDS: [f64; 3] = [0.6, 0.4, 0.2];

#[derive(Clone, Copy, PartialEq)]
pub enum Mesh {
    /// Cubes cut into six tetrahedra each, n along an edge, fibres that rotate by 120°.
    Cube(usize),
    /// Generated ventricles, edge length in mm.
    LeftVentricle(f64),
    Biventricle(f64),
}

/// A mesh with its medium and γ domains by METIS.
pub struct Built {
    mesh: TetMesh,
    metrics: Vec<Metric>,
    domains: Vec<u32>,
}

impl Mesh {
    pub fn build(self) -> Built {
        let mesh = match self {
            Mesh::Cube(n) => kuhn([1.0; 3], [n; 3]),
            Mesh::LeftVentricle(edge) => generated(&Generator::Ellipsoid {
                edge,
                fibre_angles: Default::default(),
                left_ventricle: Default::default(),
            }),
            Mesh::Biventricle(edge) => generated(&Generator::Biventricle {
                edge,
                fibre_angles: Default::default(),
                left_ventricle: Default::default(),
                right_ventricle: Default::default(),
            }),
        };
        let tensor = |t: usize| match (&mesh.fibres, &mesh.sheets) {
            (Some(fibres), Some(sheets)) => {
                VelocityTensor::from_fibres(SPEEDS, fibres[t], sheets[t])
            }
            _ => {
                let z: f64 = mesh.corners(t).iter().map(|x| x[2]).sum::<f64>() / 4.0;
                let angle = (60.0 - 120.0 * z).to_radians();
                let fibre = [angle.cos(), angle.sin(), 0.0];
                VelocityTensor::from_fibres(SPEEDS, fibre, [0.0, 0.0, 1.0])
            }
        };
        let metric = |t: usize| tensor(t).metric().expect("a positive definite tensor");
        Built {
            metrics: (0..mesh.tetrahedron_count()).map(metric).collect(),
            domains: material_domains(&mesh, DOMAINS).expect("domains"),
            mesh,
        }
    }
}

impl Built {
    /// The whole mesh, vertices as the program numbers them.
    pub fn alone(&self) -> LocalMesh {
        self.part(&Solo, &self.parts(1))
    }

    /// Rank of each vertex.
    pub fn parts(&self, ranks: usize) -> Vec<u32> {
        wave_parts(&self.mesh, ranks, &[SOURCE.vertex]).expect("parts")
    }

    /// The part of this rank. Collective.
    pub fn part(&self, comm: &dyn Communicator, parts: &[u32]) -> LocalMesh {
        let metric = |t: usize| -> Metric { self.metrics[t] };
        let whole = WholeMesh {
            points: &self.mesh.points,
            tetrahedra: &self.mesh.tetrahedra,
            metric: &metric,
            domains: &self.domains,
            parts,
        };
        distribute(comm, (comm.rank() == 0).then_some(&whole)).expect("a part")
    }
}

fn generated(generator: &Generator) -> TetMesh {
    generate(generator, 1.0).expect("a mesh")
}
