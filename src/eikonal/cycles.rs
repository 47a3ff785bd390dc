//! Cycles of the upwind graph: strongly connected components and their fixed point.
//!
//! With strong anisotropy or obtuse tetrahedra vertices can depend on each other in a circle. The
//! members of such a component are reset to +∞ and solved by one rank in ascending number of the
//! file: sweeps that accept only a smaller time, sped up by policy iteration where the weight that
//! goes round is near 1, until none decreases: the same bits whoever does it.
//!
//! Who is a member must not depend on what the iteration left, so it is decided once more at the
//! times of the fixed point, by a closer tolerance ([`tolerance`](super::tolerance)).

use super::candidates::{Candidate, Candidates};
use super::components::strongly_connected;
use super::cyclic_system::CyclicSystem;
use super::local_solver::{Corner, arrival, stencil, support};
use super::metric_mesh::MetricMesh;
use super::tolerance;
use crate::comm::from_bytes;
use crate::real::Real;

/// Not a member of the component.
const OUTSIDE: u32 = u32::MAX;

/// What the members of components depend on, candidate by candidate: enough to solve them
/// anywhere.
#[derive(Debug, Clone)]
pub struct ComponentData<T> {
    /// Component, member, tetrahedron, three vertices of the face (numbers in the file).
    keys: Vec<[u32; 6]>,
    /// Six lengths divided by γ; times of the face (of members: not read; +∞ where a vertex does
    /// not count).
    values: Vec<[T; 9]>,
    /// Component, member and onset time of sources.
    sources: Vec<([u32; 2], T)>,
}

impl<T> Default for ComponentData<T> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            values: Vec::new(),
            sources: Vec::new(),
        }
    }
}

impl<T: Real> ComponentData<T> {
    /// Adds the candidates of owned vertex `v`, a member of `component`.
    #[allow(clippy::too_many_arguments)]
    pub fn add(
        &mut self,
        component: u32,
        v: u32,
        mesh: &MetricMesh<T>,
        inv_gamma: &[T],
        phi: &[T::Shared],
        candidates: &Candidates,
        source: Option<T>,
        numbers: &Numbers,
    ) {
        let member = numbers.vertices[v as usize];
        if let Some(time) = source {
            self.sources.push(([component, member], time));
        }
        for candidate in candidates.at(v) {
            let k = candidate.problem(mesh, inv_gamma, |u| T::load(&phi[u as usize]));
            let [i, j, k3] = candidate.face.map(|u| match u {
                Candidate::IDLE => OUTSIDE,
                u => numbers.vertices[u as usize],
            });
            let tetrahedron = numbers.tetrahedra[candidate.tetrahedron()];
            self.keys.push([component, member, tetrahedron, i, j, k3]);
            let [p, q, r] = k.phi;
            self.values
                .push([k.l12, k.l13, k.l23, k.l14, k.l24, k.l34, p, q, r]);
        }
    }

    /// As bytes, for another rank.
    pub fn encode(&self) -> Vec<u8> {
        let sizes = [self.keys.len() as u64, self.sources.len() as u64];
        let mut bytes = bytemuck::cast_slice(&sizes).to_vec();
        bytes.extend_from_slice(bytemuck::cast_slice(&self.keys));
        for value in &self.values {
            bytes.extend_from_slice(bytemuck::cast_slice(value));
        }
        for (key, time) in &self.sources {
            bytes.extend_from_slice(bytemuck::cast_slice(key));
            bytes.extend_from_slice(bytemuck::bytes_of(time));
        }
        bytes
    }

    /// Adds what another rank encoded.
    pub fn extend_from(&mut self, bytes: &[u8]) {
        let (sizes, rest) = bytes.split_at(16);
        let sizes: Vec<u64> = from_bytes(sizes);
        let (keys, rest) = rest.split_at(24 * sizes[0] as usize);
        let (values, rest) = rest.split_at(9 * size_of::<T>() * sizes[0] as usize);
        self.keys.extend(from_bytes::<[u32; 6]>(keys));
        let values: Vec<T> = from_bytes(values);
        self.values.extend(
            values
                .chunks_exact(9)
                .map(|c| std::array::from_fn(|i| c[i])),
        );
        for record in rest.chunks_exact(8 + size_of::<T>()) {
            let key: Vec<u32> = from_bytes(&record[..8]);
            let time: Vec<T> = from_bytes(&record[8..]);
            self.sources.push(([key[0], key[1]], time[0]));
        }
    }

    /// Solves all components.
    pub fn solve(self) -> Solved<T> {
        let mut order: Vec<u32> = (0..self.keys.len() as u32).collect();
        // Component, member, tetrahedron: ascending in the file.
        order.sort_unstable_by_key(|i| self.keys[*i as usize]);
        let mut solved = Solved {
            times: Vec::new(),
            split: 0,
        };
        let mut rest = &order[..];
        while let Some(first) = rest.first() {
            let component = self.keys[*first as usize][0];
            let end = rest.partition_point(|i| self.keys[*i as usize][0] <= component);
            let (group, after) = rest.split_at(end);
            rest = after;
            let (times, is_one) = self.solve_one(component, group);
            solved.times.extend(times);
            solved.split += u64::from(!is_one);
        }
        solved
    }

    /// Solves one component, given by its candidates in order, and tells whether it is one.
    fn solve_one(&self, component: u32, group: &[u32]) -> (Vec<(u32, T)>, bool) {
        let mut cycle = Cycle::new(self, component, group);
        cycle.solve();
        let mut is_one = true;
        if let Some(narrow) = cycle.narrow() {
            let group: Vec<u32> = (0..narrow.keys.len() as u32).collect();
            let again = Cycle::new(&narrow, component, &group);
            is_one = again.is_strongly_connected() && again.members == cycle.members;
            if is_one {
                let mut again = again;
                again.solve();
                return (again.times(), true);
            }
        }
        (cycle.times(), is_one)
    }
}

/// Components solved.
pub struct Solved<T> {
    /// (number in the file, time) of each member.
    pub times: Vec<(u32, T)>,
    /// Components that are none by the closer tolerance: the pass is to be repeated with it.
    pub split: u64,
}

/// Sweeps before the faster iteration takes over: cycles of weight near 1 converge slowly.
const SWEEPS: usize = 40;

/// Most steps of the policy iteration (it converges quadratically; about five are needed).
const POLICY_STEPS: usize = 100;

/// A component while it is solved.
struct Cycle<'a, T> {
    data: &'a ComponentData<T>,
    /// Candidates in order of member and tetrahedron.
    group: &'a [u32],
    members: Vec<u32>,
    /// Candidates of each member, as positions in `group`.
    ranges: Vec<std::ops::Range<usize>>,
    /// Members in the face of each candidate.
    faces: Vec<[u32; 3]>,
    /// Members that depend on each member.
    dependents: Vec<Vec<u32>>,
    /// Onset time of sources, +∞ for others.
    onset: Vec<T>,
    time: Vec<T>,
}

impl<'a, T: Real> Cycle<'a, T> {
    /// The component with all members at +∞, or their onset.
    fn new(data: &'a ComponentData<T>, component: u32, group: &'a [u32]) -> Self {
        let mut members: Vec<u32> = group.iter().map(|i| data.keys[*i as usize][1]).collect();
        members.dedup();
        let index = |vertex: u32| members.binary_search(&vertex).map_or(OUTSIDE, |i| i as u32);
        let mut ranges = vec![0..0; members.len()];
        let mut faces = Vec::with_capacity(group.len());
        let mut dependents = vec![Vec::new(); members.len()];
        for (position, i) in group.iter().enumerate() {
            let [_, member, _, face @ ..] = data.keys[*i as usize];
            let m = index(member);
            let range = &mut ranges[m as usize];
            if range.end == 0 {
                range.start = position;
            }
            range.end = position + 1;
            let face = face.map(index);
            for u in face.into_iter().filter(|u| *u != OUTSIDE) {
                dependents[u as usize].push(m);
            }
            faces.push(face);
        }
        let mut onset = vec![T::from_f64(f64::INFINITY); members.len()];
        for ([c, member], time) in &data.sources {
            if *c == component {
                onset[index(*member) as usize] = *time;
            }
        }
        Self {
            time: onset.clone(),
            data,
            group,
            members,
            ranges,
            faces,
            dependents,
            onset,
        }
    }

    /// Times of all members.
    fn solve(&mut self) {
        if !self.sweep(SWEEPS) {
            self.iterate_policy();
            self.sweep(usize::MAX);
        }
        self.settle_derivatives();
    }

    /// (number in the file, time) of each member.
    fn times(self) -> Vec<(u32, T)> {
        self.members.into_iter().zip(self.time).collect()
    }

    /// The component with what matters by the tolerance of cycles at the present times; `None`:
    /// that is all there is.
    fn narrow(&self) -> Option<ComponentData<T>> {
        let tolerance = tolerance::of_cycles::<T>();
        if tolerance >= tolerance::of_candidates::<T>() {
            return None;
        }
        let mut narrow = ComponentData {
            keys: Vec::with_capacity(self.group.len()),
            values: Vec::with_capacity(self.group.len()),
            sources: self.data.sources.clone(),
        };
        let mut less = false;
        for (m, range) in self.ranges.iter().enumerate() {
            let time = self.time[m].value();
            for position in range.clone() {
                let corner = self.corner(position);
                let at = stencil(&corner);
                if at.phi.value() - time > tolerance * time {
                    less = true;
                    continue;
                }
                let support = support(&corner, &at, tolerance * time);
                let i = self.group[position] as usize;
                let (mut key, mut value) = (self.data.keys[i], self.data.values[i]);
                for k in (0..3).filter(|k| support >> k & 1 == 0) {
                    less |= key[3 + k] != OUTSIDE || value[6 + k].value() < f64::INFINITY;
                    key[3 + k] = OUTSIDE;
                    value[6 + k] = T::from_f64(f64::INFINITY);
                }
                narrow.keys.push(key);
                narrow.values.push(value);
            }
        }
        less.then_some(narrow)
    }

    /// Whether all members depend on each other.
    fn is_strongly_connected(&self) -> bool {
        let upwind = |range: &std::ops::Range<usize>| {
            let faces = self.faces[range.clone()].iter().flatten();
            faces.copied().filter(|u| *u != OUTSIDE).collect()
        };
        let mut graph: Vec<(u32, Vec<u32>)> =
            (0u32..).zip(self.ranges.iter().map(upwind)).collect();
        let components = strongly_connected(&mut graph);
        components.len() == 1 && components[0].len() == self.members.len()
    }

    /// The local solve of a candidate with the present times.
    fn corner(&self, position: usize) -> Corner<T> {
        let value = &self.data.values[self.group[position] as usize];
        let at = |k: usize| match self.faces[position][k] {
            OUTSIDE => value[6 + k],
            u => self.time[u as usize],
        };
        Corner {
            l12: value[0],
            l13: value[1],
            l23: value[2],
            l14: value[3],
            l24: value[4],
            l34: value[5],
            phi: [at(0), at(1), at(2)],
        }
    }

    /// Minimum over the candidates of member `m`, ties to the first.
    fn earliest(&self, m: usize) -> T {
        self.ranges[m]
            .clone()
            .fold(self.onset[m], |best, position| {
                arrival(&self.corner(position)).least(best)
            })
    }

    /// Sweeps over the members in ascending order, accepting only a smaller time, until none
    /// decreases, or `most` sweeps are made and all are reached; whether it settled. Members are passed over where
    /// nothing that they depend on changed.
    fn sweep(&mut self, most: usize) -> bool {
        let mut stale = vec![true; self.members.len()];
        for count in 0.. {
            if count >= most && self.time.iter().all(|t| t.value() < f64::INFINITY) {
                break;
            }
            let mut decreased = false;
            for m in 0..self.members.len() {
                if !std::mem::take(&mut stale[m]) {
                    continue;
                }
                let time = self.earliest(m);
                if time < self.time[m] {
                    self.time[m] = time;
                    decreased = true;
                    for d in &self.dependents[m] {
                        stale[*d as usize] = true;
                    }
                }
            }
            if !decreased {
                return true;
            }
        }
        false
    }

    /// Policy iteration (Howard 1960), that is Newton's method on the fixed point: with the
    /// winning λ and s held, the times solve a linear system; then the winners are chosen anew.
    fn iterate_policy(&mut self) {
        for _ in 0..POLICY_STEPS {
            let mut largest = 0.0f64;
            for (m, time) in self.policy_times().into_iter().enumerate() {
                let (new, old) = (T::from_f64(time), self.time[m]);
                if new < old {
                    largest = largest.max((old.value() - time) / old.value().abs());
                    self.time[m] = new;
                }
            }
            if largest <= 16.0 * T::EPSILON {
                return;
            }
        }
    }

    /// Times of all members if each keeps its present winner.
    fn policy_times(&self) -> Vec<f64> {
        let mut times = Vec::with_capacity(self.members.len());
        let mut weights = vec![Vec::new(); self.members.len()];
        for (m, row) in weights.iter_mut().enumerate() {
            let mut best = (self.onset[m].value(), None);
            for position in self.ranges[m].clone() {
                let solution = stencil(&self.corner(position));
                if solution.phi.value() < best.0 {
                    best = (solution.phi.value(), Some((position, solution)));
                }
            }
            let Some((position, solution)) = best.1 else {
                times.push(best.0);
                continue;
            };
            let mut rest = solution.s.value();
            for k in 0..3 {
                let lambda = solution.lambda[k].value();
                if lambda > 0.0 {
                    match self.faces[position][k] {
                        OUTSIDE => {
                            let value = &self.data.values[self.group[position] as usize];
                            rest += lambda * value[6 + k].value();
                        }
                        u => row.push((u, lambda)),
                    }
                }
            }
            times.push(rest);
        }
        CyclicSystem::new(&weights).solve(&mut times, 1);
        times
    }

    /// With dual numbers: sweeps on until the derivatives, too, no longer change.
    fn settle_derivatives(&mut self) {
        if !T::HAS_DERIVATIVES {
            return;
        }
        for _ in 0..DERIVATIVE_SWEEPS {
            let mut change = 0.0f64;
            for m in 0..self.members.len() {
                let new = self.earliest(m);
                change = change.max(new.derivative_distance(self.time[m]));
                self.time[m] = new.with_value(self.time[m].value());
            }
            if change <= 1e-15 {
                return;
            }
        }
    }
}

/// Most sweeps for the derivatives of a cycle.
const DERIVATIVE_SWEEPS: usize = 200_000;

/// Numbers in the file of local vertices and tetrahedra.
#[derive(Debug, Clone)]
pub struct Numbers {
    pub vertices: Vec<u32>,
    pub tetrahedra: Vec<u32>,
}
