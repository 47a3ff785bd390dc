//! Meshes with tensors, domains and sources.

use isochrone::eikonal::forward::Source;
use isochrone::mesh::TetMesh;
use isochrone::mesh::generate::{self, Generator, generate};
use isochrone::tensor::{Vec3, VelocityTensor, add, cross, scale, unit};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// An eikonal problem on a whole mesh.
#[derive(Clone)]
pub struct Case {
    pub mesh: TetMesh,
    /// Velocity tensor of each tetrahedron.
    pub tensors: Vec<[f64; 6]>,
    pub domains: Vec<u32>,
    pub gamma: Vec<f64>,
    pub sources: Vec<Source>,
}

impl Case {
    pub fn new(mesh: TetMesh, tensors: Vec<[f64; 6]>, sources: &[(u32, f64)]) -> Self {
        Self {
            domains: vec![0; mesh.tetrahedron_count()],
            gamma: vec![1.0],
            sources: to_sources(sources),
            mesh,
            tensors,
        }
    }

    pub fn with_sources(mut self, sources: &[(u32, f64)]) -> Self {
        self.sources = to_sources(sources);
        self
    }

    /// M → M²: fibre to cross speeds squared in ratio, cyclic upwind graphs.
    pub fn squared(mut self) -> Self {
        for m in &mut self.tensors {
            let full = [[m[0], m[1], m[2]], [m[1], m[3], m[4]], [m[2], m[4], m[5]]];
            let entry = |i: usize, j: usize| (0..3).map(|k| full[i][k] * full[k][j]).sum::<f64>();
            *m = [
                entry(0, 0),
                entry(0, 1),
                entry(0, 2),
                entry(1, 1),
                entry(1, 2),
                entry(2, 2),
            ];
        }
        self
    }

    /// `count` METIS domains with γ of no special value.
    pub fn with_domains(mut self, count: usize) -> Self {
        self.domains = isochrone::partition::material_domains(&self.mesh, count).unwrap();
        self.gamma = (0..count)
            .map(|k| 0.5 + 1.5 * (0.37 + 0.618_033_988_749_895 * k as f64).fract())
            .collect();
        self
    }

    pub fn metric_tensor(&self, t: usize) -> isochrone::tensor::Metric {
        VelocityTensor(self.tensors[t]).metric().unwrap()
    }

    pub fn vertices(&self) -> usize {
        self.mesh.vertex_count()
    }
}

fn to_sources(sources: &[(u32, f64)]) -> Vec<Source> {
    let source = |(vertex, time): &(u32, f64)| Source {
        vertex: *vertex,
        time: *time,
    };
    sources.iter().map(source).collect()
}

/// The cube of `side_length`, n³ cells of six Kuhn tetrahedra each.
pub fn kuhn(n: usize, side_length: f64) -> TetMesh {
    generate::kuhn([side_length; 3], [n; 3])
}

/// Fibres that rotate by 120° from one face of the cube to the other, speeds 0.6/0.4/0.2.
pub fn rotating(mesh: &TetMesh, side_length: f64) -> Vec<[f64; 6]> {
    (0..mesh.tetrahedron_count())
        .map(|t| {
            let z: f64 = mesh.corners(t).iter().map(|x| x[2]).sum::<f64>() / (4.0 * side_length);
            let angle = (60.0 - 120.0 * z).to_radians();
            let fibre = [angle.cos(), angle.sin(), 0.0];
            VelocityTensor::from_fibres([0.6, 0.4, 0.2], fibre, [0.0, 0.0, 1.0]).0
        })
        .collect()
}

/// The cube with rotating fibres and five sources with onset times.
pub fn cube(n: usize) -> Case {
    let mesh = kuhn(n, 1.0);
    let tensors = rotating(&mesh, 1.0);
    let side = n as u32 + 1;
    let last = side * side * side - 1;
    let middle = last / 2 + side / 3;
    let sources = [
        (0, 0.0),
        (last, 0.1),
        (middle, 0.25),
        (side - 1, 0.05),
        (side * side / 2, 0.3),
    ];
    Case::new(mesh, tensors, &sources)
}

/// A cube of displaced vertices, each tetrahedron with fibres of its own at random, speeds 1 to
/// `ratio`: nothing is smooth, and a large part of the vertices is in cycles.
pub fn scrambled(n: usize, ratio: f64, seed: u64) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut vector = || -> Vec3 { [0; 3].map(|_| rng.random_range(-1.0..1.0)) };
    let mut mesh = kuhn(n, 1.0);
    for x in &mut mesh.points {
        *x = add(*x, scale(0.12 / n as f64, vector()));
    }
    let tensors = (0..mesh.tetrahedron_count())
        .map(|_| {
            let fibre = unit(vector()).unwrap();
            let sheet = unit(cross(fibre, vector())).unwrap();
            VelocityTensor::from_fibres([1.0, ratio.powf(-0.5), 1.0 / ratio], fibre, sheet).0
        })
        .collect();
    let last = mesh.vertex_count() as u32 - 1;
    Case::new(mesh, tensors, &[(last / 3, 0.0), (last, 0.2)])
}

/// A left ventricle with helical fibres, one source.
pub fn ventricle(edge: f64) -> Case {
    let generator = Generator::Ellipsoid {
        edge,
        left_ventricle: Default::default(),
        fibre_angles: Default::default(),
    };
    let mesh = generate(&generator, 1.0).unwrap();
    let (fibres, sheets) = (mesh.fibres.clone().unwrap(), mesh.sheets.clone().unwrap());
    let tensors = fibres
        .iter()
        .zip(&sheets)
        .map(|(f, s)| VelocityTensor::from_fibres([0.6, 0.4, 0.2], *f, *s).0)
        .collect();
    let source = mesh.tetrahedra[mesh.tetrahedron_count() / 3][0];
    Case::new(mesh, tensors, &[(source, 0.0)])
}

/// One tensor everywhere: speeds along an oblique frame.
pub fn oblique(speeds: [f64; 3]) -> [f64; 6] {
    let fibre: Vec3 = unit([1.0, 0.7, 0.4]).unwrap();
    let sheet = unit([-0.7, 1.0, 0.0]).unwrap();
    VelocityTensor::from_fibres(speeds, fibre, sheet).0
}

/// A case of the reference data with its exact discrete solution, if the data is here.
pub fn reference(file: &str, name: &str) -> Option<(Case, Vec<f64>)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/eikonal")
        .join(file);
    if !path.exists() {
        eprintln!("not checked: {} is not here", path.display());
        return None;
    }
    let file = hdf5::File::open(path).unwrap();
    let read = |name: &str| file.dataset(name).unwrap().read_raw::<f64>().unwrap();
    let read_u32 = |name: &str| file.dataset(name).unwrap().read_raw::<u32>().unwrap();
    let group = format!("reference/{name}");
    if !file.link_exists(&group) {
        return None;
    }
    let points: Vec<Vec3> = bytemuck::cast_slice(&read("mesh/points")).to_vec();
    let tetrahedra: Vec<[u32; 4]> = bytemuck::cast_slice(&read_u32("mesh/tetrahedra")).to_vec();
    let count = tetrahedra.len();
    let tensors = match name {
        "iso" => vec![[1.0, 0.0, 0.0, 1.0, 0.0, 1.0]; count],
        "hom" => {
            let tensor = read("reference/hom/velocity_tensor");
            vec![tensor.try_into().unwrap(); count]
        }
        _ => bytemuck::cast_slice(&read("mesh/velocity_tensor")).to_vec(),
    };
    let sources: Vec<(u32, f64)> = read_u32(&format!("{group}/source_vertices"))
        .into_iter()
        .zip(read(&format!("{group}/source_times")))
        .collect();
    let expected = read(&format!("{group}/activation_time"));
    Some((
        Case::new(TetMesh::new(points, tetrahedra), tensors, &sources),
        expected,
    ))
}
