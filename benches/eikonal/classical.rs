//! Classical fast iterative method (Jeong & Whitaker 2008; Fu, Kirby & Whitaker 2013), the baseline:
//! each active vertex is re-solved from all its tetrahedra until it no longer changes, and then
//! wakes the neighbours that it lowers. One thread, with the SIMD blocks of the program.

use isochrone::eikonal::local_solves::LocalSolves;
use isochrone::eikonal::metric_mesh::MetricMesh;
use isochrone::real::Real;

pub struct Classical<'a, T: Real> {
    mesh: &'a MetricMesh<T>,
    solves: LocalSolves<T>,
    pub phi: Vec<T>,
}

impl<'a, T: Real> Classical<'a, T> {
    /// γ = 1; starts at `source` at time 0.
    pub fn solve(mesh: &'a MetricMesh<T>, source: u32) -> Self {
        let mut fim = Self {
            mesh,
            solves: LocalSolves::default(),
            phi: vec![T::from_f64(f64::INFINITY); mesh.vertex_count()],
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
        let mut times: Vec<T> = vertices.iter().map(|v| self.phi[*v as usize]).collect();
        for (label, &v) in (0u32..).zip(vertices) {
            for incidence in self.mesh.incidences(v) {
                let tet = &self.mesh.tetrahedra[(incidence >> 2) as usize];
                let corner = (incidence & 3) as usize;
                let problem = tet.corner(corner, T::from_f64(1.0), &self.phi);
                let limit = self.phi[v as usize];
                self.solves.room_for(1).push_corner(&problem, label, limit);
            }
        }
        self.solves.finish();
        for (label, time) in self.solves.found() {
            let best = &mut times[label as usize];
            *best = time.least(*best);
        }
        times
    }
}
