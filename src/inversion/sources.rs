//! Sources as functions of what an inversion may vary: γ, their onset t and their place p.
//!
//! A source is a list of vertices that start at t, or a point p anywhere in or near the mesh. From a
//! point the wave runs straight to the vertices v within a radius r, which start at
//!
//!   t_v = t + s_v,   s_v² = eᵀ A e,   e = x_v − p,
//!   A(p, γ) = Σ_T W_T N_T/γ_k(T) / Σ_T W_T,   W_T = |T| Σ_{corners c} (1 − |x_c − p|²/r²)²  within r,
//!
//! A being the mean metric around p. It depends smoothly on p, and so do all t_v but for those that
//! enter or leave the ball. Derivatives, with A = Σ_k B_k/γ_k:
//!
//!   ∂t_v/∂t = 1,   ∂t_v/∂γ_k = −eᵀ B_k e/(2 s γ_k²),   ∂t_v/∂p = (½ eᵀ (∂A/∂p) e − A e)/s

use serde::{Deserialize, Serialize};

use crate::mesh::TetMesh;
use crate::tensor::{Metric, Vec3, dot, sub};

/// A vertex that starts by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// Number in the file.
    pub vertex: u32,
    /// ms
    pub time: f64,
    /// (parameter, ∂time/∂parameter): γ of the domains first, then the unknowns of the sources.
    pub dot: Vec<(u32, f64)>,
}

/// Where a source is.
#[derive(Debug, Clone, PartialEq)]
pub enum Extent {
    /// These vertices, numbers in the file.
    Vertices(Vec<u32>),
    /// All vertices within `radius` of `point` (mm), by the travel time from there.
    Ball { point: Vec3, radius: f64 },
}

/// One source.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitter {
    pub extent: Extent,
    /// t, ms
    pub onset: f64,
    /// Whether t is an unknown.
    pub onset_unknown: bool,
    /// Whether p is an unknown, of a ball.
    pub point_unknown: bool,
}

/// All sources on the whole mesh (rank 0).
pub struct Sources<'a> {
    pub mesh: &'a TetMesh,
    /// N of each tetrahedron at γ = 1.
    pub metric: Box<dyn Fn(usize) -> Metric + 'a>,
    /// Domain of each tetrahedron.
    pub domains: Vec<u32>,
    pub emitters: Vec<Emitter>,
}

impl Emitter {
    /// The unknowns in their order: onset (ms), then x, y, z (mm), as far as they are.
    pub fn unknowns(&self) -> Vec<f64> {
        let mut values = Vec::new();
        if self.onset_unknown {
            values.push(self.onset);
        }
        if let Extent::Ball { point, .. } = self.extent
            && self.point_unknown
        {
            values.extend(point);
        }
        values
    }
}

impl Sources<'_> {
    /// Values of all unknowns as the sources are described.
    pub fn unknowns(&self) -> Vec<f64> {
        self.emitters.iter().flat_map(Emitter::unknowns).collect()
    }

    /// The seeds for γ and the unknowns, by ascending vertex; the earliest where a vertex has
    /// several, the first source where those are equal. `Err` is the number of a source without a
    /// vertex in its ball.
    pub fn seeds(&self, gamma: &[f64], unknowns: &[f64]) -> Result<Vec<Seed>, usize> {
        let mut seeds: Vec<Seed> = Vec::new();
        let mut parameter = gamma.len() as u32;
        let mut values = unknowns.iter().copied();
        for (i, emitter) in self.emitters.iter().enumerate() {
            let mut onset = emitter.onset;
            let mut onset_dot = None;
            if emitter.onset_unknown {
                onset = values.next().unwrap_or(f64::NAN);
                onset_dot = Some((parameter, 1.0));
                parameter += 1;
            }
            match &emitter.extent {
                Extent::Vertices(vertices) => seeds.extend(vertices.iter().map(|v| Seed {
                    vertex: *v,
                    time: onset,
                    dot: onset_dot.into_iter().collect(),
                })),
                Extent::Ball { point, radius } => {
                    let mut point = *point;
                    let mut first = None;
                    if emitter.point_unknown {
                        point = point.map(|_| values.next().unwrap_or(f64::NAN));
                        first = Some(parameter);
                        parameter += 3;
                    }
                    let around = Around::new(self, point, *radius, gamma).ok_or(i)?;
                    for (vertex, x) in &around.vertices {
                        let travel = around.travel(*x, gamma);
                        let mut dot: Vec<(u32, f64)> = onset_dot.into_iter().collect();
                        dot.extend(travel.by_gamma);
                        if let Some(first) = first {
                            dot.extend((first..).zip(travel.by_point));
                        }
                        seeds.push(Seed {
                            vertex: *vertex,
                            time: onset + travel.time,
                            dot,
                        });
                    }
                }
            }
        }
        seeds.sort_by(|a, b| a.vertex.cmp(&b.vertex).then(a.time.total_cmp(&b.time)));
        seeds.dedup_by_key(|seed| seed.vertex);
        Ok(seeds)
    }
}

/// The surroundings of a point: A and its derivatives.
struct Around {
    point: Vec3,
    /// Vertices in the ball with their coordinates.
    vertices: Vec<(u32, Vec3)>,
    /// A
    metric: Metric,
    /// B_k of the domains in the ball.
    by_domain: Vec<(u32, Metric)>,
    /// ∂A/∂p
    by_point: [Metric; 3],
}

/// Time from the point to a vertex, and its derivatives.
struct Travel {
    time: f64,
    by_gamma: Vec<(u32, f64)>,
    by_point: Vec3,
}

impl Around {
    /// `None` where no vertex is nearer than the radius.
    fn new(sources: &Sources, point: Vec3, radius: f64, gamma: &[f64]) -> Option<Self> {
        let mesh = sources.mesh;
        // 1 − |x − p|²/r²
        let depth = |x: &Vec3| {
            let e = sub(*x, point);
            1.0 - dot(e, e) / (radius * radius)
        };
        let inside = mesh
            .points
            .iter()
            .map(|x| depth(x) > 0.0)
            .collect::<Vec<bool>>();
        let (mut whole, mut whole_dot) = (0.0, [0.0; 3]);
        let mut by_domain: Vec<(u32, Metric)> = Vec::new();
        let mut by_point = [Metric([0.0; 6]); 3];
        for (t, tetrahedron) in mesh.tetrahedra.iter().enumerate() {
            let corners = tetrahedron.map(|v| v as usize);
            if !corners.iter().any(|v| inside[*v]) {
                continue;
            }
            let (mut weight, mut weight_dot) = (0.0, [0.0; 3]);
            let volume = mesh.volume(t).abs();
            for x in corners
                .iter()
                .filter(|v| inside[**v])
                .map(|v| mesh.points[*v])
            {
                let depth = depth(&x);
                weight += volume * depth * depth;
                for (dot, e) in weight_dot.iter_mut().zip(sub(x, point)) {
                    *dot += volume * 4.0 * depth * e / (radius * radius);
                }
            }
            let domain = sources.domains[t];
            let metric = (sources.metric)(t);
            let at = by_domain.iter().position(|(k, _)| *k == domain);
            let at = at.unwrap_or_else(|| {
                by_domain.push((domain, Metric([0.0; 6])));
                by_domain.len() - 1
            });
            let inverse = 1.0 / gamma[domain as usize];
            accumulate(&mut by_domain[at].1, weight, &metric);
            for (sum, dot) in by_point.iter_mut().zip(weight_dot) {
                accumulate(sum, dot * inverse, &metric);
            }
            whole += weight;
            whole_dot
                .iter_mut()
                .zip(weight_dot)
                .for_each(|(sum, dot)| *sum += dot);
        }
        if whole <= 0.0 || !whole.is_finite() {
            return None;
        }
        let mut metric = Metric([0.0; 6]);
        for (k, sum) in &mut by_domain {
            sum.0 = sum.0.map(|x| x / whole);
            accumulate(&mut metric, 1.0 / gamma[*k as usize], sum);
        }
        // ∂A = (Σ ∂W N/γ − A Σ ∂W)/W
        for (sum, dot) in by_point.iter_mut().zip(whole_dot) {
            accumulate(sum, -dot, &metric);
            sum.0 = sum.0.map(|x| x / whole);
        }
        let vertices = (0u32..)
            .zip(&mesh.points)
            .filter(|(v, _)| inside[*v as usize]);
        Some(Self {
            point,
            vertices: vertices.map(|(v, x)| (v, *x)).collect(),
            metric,
            by_domain,
            by_point,
        })
    }

    /// From the point to `x`.
    fn travel(&self, x: Vec3, gamma: &[f64]) -> Travel {
        let e = sub(x, self.point);
        let time = self.metric.squared_length(e).max(0.0).sqrt();
        // At the point itself the time has a minimum, where it is not differentiable.
        let half = if time > 0.0 { 0.5 / time } else { 0.0 };
        let of_domain = |(k, b): &(u32, Metric)| {
            let g = gamma[*k as usize];
            (*k, -half * b.squared_length(e) / (g * g))
        };
        let ae = self.metric.times(e);
        Travel {
            time,
            by_gamma: self.by_domain.iter().map(of_domain).collect(),
            by_point: std::array::from_fn(|i| {
                half * (self.by_point[i].squared_length(e) - 2.0 * ae[i])
            }),
        }
    }
}

fn accumulate(sum: &mut Metric, factor: f64, metric: &Metric) {
    sum.0
        .iter_mut()
        .zip(metric.0)
        .for_each(|(s, x)| *s += factor * x);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::generate::{FibreAngles, Generator, generate};
    use crate::tensor::{VelocityTensor, norm};

    fn slab() -> TetMesh {
        let slab = Generator::Slab {
            size: [6.0, 6.0, 4.0],
            edge: 1.0,
            fibre_angles: FibreAngles {
                endocardium: 60.0,
                epicardium: -45.0,
            },
        };
        generate(&slab, 1.0).unwrap()
    }

    fn sources<'a>(mesh: &'a TetMesh, emitters: Vec<Emitter>) -> Sources<'a> {
        let fibres = mesh.fibres.as_ref().unwrap();
        Sources {
            mesh,
            metric: Box::new(|t| {
                VelocityTensor::transverse(0.6, 0.3, fibres[t])
                    .metric()
                    .unwrap()
            }),
            domains: (0..mesh.tetrahedron_count())
                .map(|t| u32::from(mesh.corners(t)[0][0] > 2.4))
                .collect(),
            emitters,
        }
    }

    fn ball(point: Vec3) -> Emitter {
        Emitter {
            extent: Extent::Ball { point, radius: 2.3 },
            onset: 4.0,
            onset_unknown: true,
            point_unknown: true,
        }
    }

    #[test]
    fn derivatives_against_differences() {
        let mesh = slab();
        // In the mesh, and outside of it.
        for point in [[2.2, 3.1, 1.7], [2.6, 3.3, -0.8]] {
            let model = sources(&mesh, vec![ball(point)]);
            let gamma = [0.7, 1.4];
            let at = model.unknowns();
            assert_eq!(at, [4.0, point[0], point[1], point[2]]);
            let seeds = model.seeds(&gamma, &at).unwrap();
            assert!(seeds.len() > 20);
            let all = [&gamma[..], &at].concat();
            let moved = |i: usize, h: f64| {
                let mut p = all.clone();
                p[i] += h;
                model.seeds(&p[..2], &p[2..]).unwrap()
            };
            let h = 1e-6;
            for i in 0..all.len() {
                let (above, below) = (moved(i, h), moved(i, -h));
                assert_eq!((above.len(), below.len()), (seeds.len(), seeds.len()));
                for ((seed, above), below) in seeds.iter().zip(above).zip(below) {
                    let slope = (above.time - below.time) / (2.0 * h);
                    let dot = seed.dot.iter().filter(|(j, _)| *j as usize == i);
                    let exact: f64 = dot.map(|(_, x)| x).sum();
                    assert!((slope - exact).abs() < 1e-7, "{i}: {slope} {exact}");
                }
            }
        }
    }

    /// In a uniform isotropic medium the onset is the distance by the speed.
    #[test]
    fn straight_travel_times() {
        let mesh = slab();
        let point = [2.2, 3.1, 1.7];
        let mut model = sources(&mesh, vec![ball(point)]);
        model.metric = Box::new(|_| VelocityTensor::isotropic(0.5).metric().unwrap());
        let seeds = model.seeds(&[4.0, 4.0], &model.unknowns()).unwrap();
        let count = mesh
            .points
            .iter()
            .filter(|x| norm(sub(**x, point)) < 2.3)
            .count();
        assert_eq!(seeds.len(), count);
        for seed in &seeds {
            let distance = norm(sub(mesh.points[seed.vertex as usize], point));
            assert!((seed.time - 4.0 - distance).abs() < 1e-12);
        }
        assert!(seeds.is_sorted_by_key(|s| s.vertex));
    }

    #[test]
    fn the_earlier_of_two_sources_counts_at_a_vertex() {
        let mesh = slab();
        let at = |vertices: Vec<u32>, onset, onset_unknown| Emitter {
            extent: Extent::Vertices(vertices),
            onset,
            onset_unknown,
            point_unknown: false,
        };
        let list = vec![at(vec![7, 3], 2.0, false), at(vec![3, 9], 1.0, true)];
        let model = sources(&mesh, list);
        let seeds = model.seeds(&[1.0; 2], &[1.5]).unwrap();
        let seed = |vertex, time, dot: &[(u32, f64)]| Seed {
            vertex,
            time,
            dot: dot.to_vec(),
        };
        let own = [(2, 1.0)];
        assert_eq!(
            seeds,
            [seed(3, 1.5, &own), seed(7, 2.0, &[]), seed(9, 1.5, &own)]
        );
        let far = sources(&mesh, vec![ball([50.0, 0.0, 0.0])]);
        assert_eq!(far.seeds(&[1.0; 2], &far.unknowns()), Err(0));
    }
}
