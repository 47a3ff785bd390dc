//! Tangent, adjoint and tensor sensitivity on a device, on one rank; on several the CPU's sweeps do
//! the first two. Cycles are solved on the host, as there.

use bytemuck::{Pod, Zeroable};

use super::fim::OnDevice;
use super::levels::Levels;
use crate::device::{Argument, Array, BLOCK};
use crate::eikonal::cyclic_system::CyclicSystem;
use crate::eikonal::downwind::Downwind;
use crate::eikonal::forward::Solution;
use crate::eikonal::tangent::Members;
use crate::eikonal::upwind::UpwindStencil;
use crate::error::Result;
use crate::partition::local_mesh::LocalMesh;
use crate::real::Real;

/// Structures of `derivatives.cu`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Stencil {
    vertices: [u32; 3],
    tetrahedron: u32,
    lambda: [f64; 3],
    s: f64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
struct Edge {
    vertex: u32,
    unused: u32,
    lambda: f64,
}

impl From<&UpwindStencil> for Stencil {
    fn from(stencil: &UpwindStencil) -> Self {
        Self {
            vertices: stencil.vertices,
            tetrahedron: stencil.tetrahedron,
            lambda: stencil.lambda,
            s: stencil.s,
        }
    }
}

impl<T: Real> OnDevice<T> {
    /// φ̇ as [`Eikonal::tangent`](crate::eikonal::forward::Eikonal::tangent) has it; `source` is
    /// −½ γ̇_k/γ_k for each domain and direction.
    pub fn tangent(
        &self,
        levels: &Levels,
        solution: &Solution<T>,
        source: &[f64],
        width: usize,
    ) -> Result<Vec<f64>> {
        let on = &*self.device;
        let order = Array::of(on, &levels.vertices)?;
        let mut stencils: Vec<Stencil> = solution.stencils.iter().map(Stencil::from).collect();
        for v in levels
            .cycles
            .iter()
            .flatten()
            .flat_map(|c| &solution.order.vertices[c.clone()])
        {
            let stencil = &mut stencils[*v as usize];
            for (u, lambda) in stencil.vertices.into_iter().zip(&mut stencil.lambda) {
                if levels.in_one_cycle(u, *v) {
                    *lambda = 0.0;
                }
            }
        }
        let stencils = Array::of(on, &stencils)?;
        let source = Array::of(on, source)?;
        let phi_dot = Array::<f64>::zeros(on, self.vertex_count() * width)?;
        for level in 0..levels.ends.len() {
            let range = levels.range(level);
            let arguments = [
                Argument::of(order.address(range.start)),
                Argument::of(range.len() as i32),
                stencils.argument(),
                self.domains.argument(),
                source.argument(),
                Argument::of(width as i32),
                phi_dot.argument(),
            ];
            self.launch("tangent", blocks(range.len() * width), &arguments)?;
            self.cycles(
                &levels.cycles[level],
                solution,
                &phi_dot,
                width,
                |system, x| {
                    system.solve(x, width);
                },
            )?;
        }
        phi_dot.to_vec(on)
    }

    /// φ̄ as [`Eikonal::adjoint`](crate::eikonal::forward::Eikonal::adjoint) has it, in place.
    pub fn adjoint(
        &self,
        levels: &Levels,
        solution: &Solution<T>,
        downwind: &Downwind,
        phi_bar: &mut [f64],
    ) -> Result<()> {
        let on = &*self.device;
        let order = Array::of(on, &levels.vertices)?;
        let (mut offsets, mut edges) = (vec![0u32], Vec::new());
        for u in 0..phi_bar.len() as u32 {
            for (vertex, position) in downwind.at(u) {
                let within = levels.in_one_cycle(u, vertex);
                let lambda = solution.stencils[vertex as usize].lambda[position];
                edges.push(Edge {
                    vertex,
                    unused: 0,
                    lambda: if within { 0.0 } else { lambda },
                });
            }
            offsets.push(edges.len() as u32);
        }
        let (offsets, edges) = (Array::of(on, &offsets)?, Array::of(on, &edges)?);
        let bar = Array::of(on, phi_bar)?;
        for level in (0..levels.ends.len()).rev() {
            let range = levels.range(level);
            let arguments = [
                Argument::of(order.address(range.start)),
                Argument::of(range.len() as i32),
                offsets.argument(),
                edges.argument(),
                bar.argument(),
            ];
            self.launch("adjoint", blocks(range.len()), &arguments)?;
            self.cycles(&levels.cycles[level], solution, &bar, 1, |system, x| {
                system.solve_transpose(x, 1);
            })?;
        }
        bar.read(on, phi_bar)
    }

    /// Solves the systems of the cycles of a level on the host: `values`, `width` for each vertex,
    /// hold their right-hand sides.
    fn cycles(
        &self,
        cycles: &[std::ops::Range<usize>],
        solution: &Solution<T>,
        values: &Array<f64>,
        width: usize,
        solve: impl Fn(&CyclicSystem, &mut [f64]),
    ) -> Result<()> {
        if cycles.is_empty() {
            return Ok(());
        }
        let on = &*self.device;
        let members = |cycle: &std::ops::Range<usize>| &solution.order.vertices[cycle.clone()];
        let all: Vec<u32> = cycles.iter().flat_map(members).copied().collect();
        let vertices = Array::of(on, &all)?;
        let rows = Array::<f64>::zeros(on, all.len() * width)?;
        let numbers = [
            vertices.argument(),
            Argument::of(all.len() as i32),
            Argument::of(width as i32),
        ];
        let transfer = |kernel: &str, one: &Array<f64>, other: &Array<f64>| {
            let [vertices, count, width_there] = numbers.clone();
            let arguments = [
                one.argument(),
                vertices,
                count,
                width_there,
                other.argument(),
            ];
            self.launch(kernel, blocks(all.len() * width), &arguments)
        };
        transfer("pick", values, &rows)?;
        let mut x = rows.to_vec(on)?;
        let mut rest = &mut x[..];
        for cycle in cycles {
            let (mine, others) = rest.split_at_mut(cycle.len() * width);
            solve(&Members::new(members(cycle)).system(solution), mine);
            rest = others;
        }
        rows.write(on, &x)?;
        transfer("put", values, &rows)
    }

    /// df/dN of every local tetrahedron, whoever answers for it.
    pub fn sensitivity(
        &self,
        local: &LocalMesh,
        stencils: &[UpwindStencil],
        ghosts: &[UpwindStencil],
        gamma: &[f64],
        phi_bar: &[f64],
    ) -> Result<Vec<[f64; 6]>> {
        let on = &*self.device;
        let count = local.tetrahedra.len();
        let numbers = Array::of(on, &local.global_vertices)?;
        let points = Array::of(on, local.points.as_flattened())?;
        let stencils = upload(on, stencils.iter().chain(ghosts))?;
        let gamma = Array::of(on, gamma)?;
        let bar = Array::of(on, phi_bar)?;
        let found = Array::<[f64; 6]>::zeros(on, count)?;
        let arguments = [
            Argument::of(count as i32),
            self.vertices.argument(),
            numbers.argument(),
            points.argument(),
            stencils.argument(),
            self.domains.argument(),
            gamma.argument(),
            bar.argument(),
            found.argument(),
        ];
        self.launch("sensitivity", blocks(count), &arguments)?;
        found.to_vec(on)
    }

    fn vertex_count(&self) -> usize {
        self.phi.len()
    }
}

fn upload<'a>(
    on: &dyn crate::device::Device,
    stencils: impl Iterator<Item = &'a UpwindStencil>,
) -> Result<Array<Stencil>> {
    let stencils: Vec<Stencil> = stencils.map(Stencil::from).collect();
    Array::of(on, &stencils)
}

fn blocks(count: usize) -> u32 {
    const MOST: usize = 4096;
    count.div_ceil(BLOCK as usize).clamp(1, MOST) as u32
}
