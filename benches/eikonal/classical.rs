//! Classical fast iterative method (Jeong & Whitaker 2008; Fu, Kirby & Whitaker 2013), the baseline:
//! each active vertex is re-solved from all its tetrahedra until it no longer changes, and then
//! wakes the neighbours that it lowers. One thread, with the SIMD blocks of the program.

use isochrone::eikonal::block::Block;
use isochrone::eikonal::metric_mesh::MetricMesh;
use isochrone::eikonal::simd::Kernels;
use isochrone::real::Real;

pub struct Classical<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    kernels: Kernels<T>,
    interior: Box<Block<T>>,
    boundary: Box<Block<T>>,
    pub phi: Vec<T>,
    pub local_solves: u64,
    pub vertex_updates: u64,
}

impl<'a, T: Real> Classical<'a, T> {
    /// γ = 1; starts at `source` at time 0.
    pub fn solve(mesh: &'a MetricMesh<T>, source: u32) -> Self {
        let mut fim = Self {
            mesh,
            kernels: Kernels::detect(),
            interior: Box::default(),
            boundary: Box::default(),
            phi: vec![T::from_f64(f64::INFINITY); mesh.vertex_count()],
            local_solves: 0,
            vertex_updates: 0,
        };
        fim.phi[source as usize] = T::from_f64(0.0);
        fim.run(source);
        fim
    }

    fn run(&mut self, source: u32) {
        let mut listed = vec![false; self.mesh.vertex_count()];
        let mut active = Vec::new();
        self.add_neighbours(source, &mut listed, &mut active);
        let below = T::from_f64(1.0 - 4.0 * T::EPSILON);
        while !active.is_empty() {
            let times = self.times(&active);
            let (mut next, mut woken) = (Vec::new(), Vec::new());
            let mut settled = Vec::new();
            for (&v, time) in active.iter().zip(times) {
                if time < self.phi[v as usize] * below {
                    self.phi[v as usize] = time;
                    next.push(v);
                } else {
                    settled.push(v);
                }
            }
            for &v in &settled {
                self.add_neighbours(v, &mut listed, &mut woken);
            }
            let times = self.times(&woken);
            for v in settled {
                listed[v as usize] = false;
            }
            for (v, time) in woken.into_iter().zip(times) {
                let falls = time < self.phi[v as usize] * below;
                listed[v as usize] = falls;
                if falls {
                    self.phi[v as usize] = time;
                    next.push(v);
                }
            }
            active = next;
        }
    }

    /// Adds the neighbours of `v` that are not listed.
    fn add_neighbours(&self, v: u32, listed: &mut [bool], list: &mut Vec<u32>) {
        for incidence in self.mesh.incidences(v) {
            for u in self.mesh.tetrahedra[(incidence >> 2) as usize].vertices {
                if !std::mem::replace(&mut listed[u as usize], true) {
                    list.push(u);
                }
            }
        }
    }

    /// Times of the vertices from all their tetrahedra.
    fn times(&mut self, vertices: &[u32]) -> Vec<T> {
        self.vertex_updates += vertices.len() as u64;
        let mut times: Vec<T> = vertices.iter().map(|v| self.phi[*v as usize]).collect();
        for (label, &v) in (0u32..).zip(vertices) {
            for incidence in self.mesh.incidences(v) {
                let tet = &self.mesh.tetrahedra[(incidence >> 2) as usize];
                let corner = (incidence & 3) as usize;
                let problem = tet.corner(corner, T::from_f64(1.0), &self.phi);
                if self.interior.room() == 0 {
                    self.flush_interior(&mut times);
                }
                self.interior.push_corner(&problem, label);
            }
        }
        self.flush_interior(&mut times);
        self.flush_boundary(&mut times);
        times
    }

    fn flush_interior(&mut self, times: &mut [T]) {
        self.local_solves += self.interior.len() as u64;
        self.kernels.interior(&mut self.interior);
        for i in 0..self.interior.len() {
            let time = &mut times[self.interior.label[i] as usize];
            if self.interior.arrival[i].value() < f64::INFINITY {
                *time = self.interior.arrival[i].least(*time);
            } else if self.interior.bound[i] < *time {
                self.boundary.push_from(&self.interior, i);
                if self.boundary.room() == 0 {
                    self.flush_boundary(times);
                }
            }
        }
        self.interior.clear();
    }

    fn flush_boundary(&mut self, times: &mut [T]) {
        self.kernels.boundary(&mut self.boundary);
        for i in 0..self.boundary.len() {
            let time = &mut times[self.boundary.label[i] as usize];
            *time = self.boundary.arrival[i].least(*time);
        }
        self.boundary.clear();
    }
}
