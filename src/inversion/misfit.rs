//! The misfit f = Σ_j w_j (φ*_j − (H φ)_j)² of measured and computed activation times.
//!
//! (H φ)_j = Σ_i h_ji φ_i samples the solution: one vertex with share 1, or the corners of a
//! tetrahedron with barycentric shares. [`Observations`] lists the rows of H in global numbering;
//! [`LocalObservations`] holds the rows of one rank. A row is *counted* on the owner of its first
//! vertex only, but every rank that owns one of its vertices holds it, so that
//! φ̄ = df/dφ = −2 Hᵀ W (φ* − H φ) of the owned vertices needs no communication. Sums over rows
//! are reproducible ([`crate::exact_sum`]): the same bits for any number of ranks and threads.

use nalgebra::DMatrix;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use crate::comm::{self, Communicator, scatter_slices};
use crate::error::{Error, Result};
use crate::exact_sum::modulus_bound;

/// The sampling operator H: rows of vertices and shares, in compressed form.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// First entry of each row, and the number of entries (rows + 1).
    offsets: Vec<u32>,
    vertices: Vec<u32>,
    shares: Vec<f64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            vertices: Vec::new(),
            shares: Vec::new(),
        }
    }
}

impl Sampling {
    /// One row per vertex, with share 1.
    pub fn at_vertices(vertices: impl IntoIterator<Item = u32>) -> Self {
        let mut rows = Self::default();
        for v in vertices {
            rows.push([(v, 1.0)]);
        }
        rows
    }

    /// Appends the row Σ share · φ_vertex.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f64)>) {
        for (vertex, share) in row {
            self.vertices.push(vertex);
            self.shares.push(share);
        }
        self.offsets.push(self.vertices.len() as u32);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Vertices and shares of row `j`.
    #[inline]
    pub fn row(&self, j: usize) -> (&[u32], &[f64]) {
        let range = self.offsets[j] as usize..self.offsets[j + 1] as usize;
        (&self.vertices[range.clone()], &self.shares[range])
    }

    /// (H φ)_j.
    #[inline]
    pub fn apply_row(&self, j: usize, phi: &[f64]) -> f64 {
        let (vertices, shares) = self.row(j);
        vertices
            .iter()
            .zip(shares)
            .map(|(&v, h)| h * phi[v as usize])
            .sum()
    }

    /// H φ.
    pub fn apply(&self, phi: &[f64]) -> Vec<f64> {
        (0..self.len()).map(|j| self.apply_row(j, phi)).collect()
    }

    /// Values given one per row, or one per vertex of the mesh when every row is a vertex.
    fn values_at_rows(
        &self,
        what: &str,
        values: Vec<f64>,
        mesh_vertices: usize,
    ) -> Result<Vec<f64>> {
        if values.len() == self.len() {
            return Ok(values);
        }
        let single = self.vertices.len() == self.len();
        if single && values.len() == mesh_vertices {
            return Ok(self.vertices.iter().map(|&v| values[v as usize]).collect());
        }
        let per_mesh = if single && mesh_vertices != self.len() {
            format!(", or one per vertex of the mesh ({mesh_vertices})")
        } else {
            String::new()
        };
        Err(Error::bad_data(
            what,
            format!(
                "{} values for {} places of measurement",
                values.len(),
                self.len()
            ),
            format!("give one value per place ({}){per_mesh}", self.len()),
        ))
    }
}

/// All measurements, in global numbering of vertices (on rank 0).
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    sampling: Sampling,
    /// φ*_j, ms; NaN where nothing was measured.
    measured: Vec<f64>,
    /// w_j ≥ 0.
    weights: Vec<f64>,
    /// Rows without a measurement.
    missing: usize,
}

impl Observations {
    /// Measurements at the rows of `sampling`. `measured` (ms, NaN: not measured there) and
    /// `weights` (absent: 1) hold one value per row or one per vertex of the mesh.
    ///
    /// # Errors
    /// `BadData`: wrong length, infinite times, weights that are negative or not finite, rows of
    /// vertices that do not exist, nothing measured at all.
    pub fn new(
        sampling: Sampling,
        measured: Vec<f64>,
        weights: Option<Vec<f64>>,
        mesh_vertices: usize,
    ) -> Result<Self> {
        if let Some(v) = sampling
            .vertices
            .iter()
            .find(|&&v| v as usize >= mesh_vertices)
        {
            return Err(Error::bad_data(
                "inversion.vertices",
                format!("vertex {v} does not exist"),
                format!(
                    "the mesh has vertices 0 to {}",
                    mesh_vertices.saturating_sub(1)
                ),
            ));
        }
        let measured = sampling.values_at_rows("measured times", measured, mesh_vertices)?;
        let weights = match weights {
            Some(w) => sampling.values_at_rows("weights of the measurements", w, mesh_vertices)?,
            None => vec![1.0; sampling.len()],
        };
        if let Some(j) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::bad_data(
                "weights of the measurements",
                format!("weight {} of measurement {j}", weights[j]),
                "weights must be finite and not negative; 0 leaves a measurement out",
            ));
        }
        if let Some(j) = measured.iter().position(|t| t.is_infinite()) {
            return Err(Error::bad_data(
                "measured times",
                format!("measurement {j} is infinite"),
                "write NaN where nothing was measured",
            ));
        }
        let missing = measured.iter().filter(|t| t.is_nan()).count();
        if missing == measured.len() {
            return Err(Error::bad_data(
                "measured times",
                format!("no finite value among {missing}"),
                "an inversion needs at least one measured time",
            ));
        }
        Ok(Self {
            sampling,
            measured,
            weights,
            missing,
        })
    }

    /// Number of rows, those without a measurement included.
    pub fn len(&self) -> usize {
        self.sampling.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.sampling.is_empty()
    }

    /// Rows where nothing was measured (NaN), which take no part.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// The rows of each rank from those of rank 0, in global numbering. `parts[v]` is the rank
    /// that owns vertex v (read on rank 0). Collective.
    pub fn scatter(
        comm: &dyn Communicator,
        observations: Option<&Observations>,
        parts: &[u32],
    ) -> RankObservations {
        let mut outgoing: Vec<RankObservations> = (0..comm.size())
            .map(|_| RankObservations::default())
            .collect();
        if let Some(all) = observations {
            for j in (0..all.len()).filter(|&j| !all.measured[j].is_nan()) {
                let (vertices, shares) = all.sampling.row(j);
                for (i, &v) in vertices.iter().enumerate() {
                    let owner = parts[v as usize];
                    let seen = vertices[..i].iter().any(|&u| parts[u as usize] == owner);
                    if let Some(rank) = outgoing.get_mut(owner as usize).filter(|_| !seen) {
                        rank.lengths.push(vertices.len() as u32);
                        rank.vertices.extend_from_slice(vertices);
                        rank.shares.extend_from_slice(shares);
                        rank.measured.push(all.measured[j]);
                        rank.weights.push(all.weights[j]);
                        rank.counted.push(u8::from(i == 0));
                    }
                }
            }
        }
        macro_rules! scattered {
            ($field:ident) => {{
                let parts: Vec<_> = outgoing
                    .iter_mut()
                    .map(|rank| std::mem::take(&mut rank.$field))
                    .collect();
                scatter_slices(comm, 0, &parts)
            }};
        }
        RankObservations {
            lengths: scattered!(lengths),
            vertices: scattered!(vertices),
            shares: scattered!(shares),
            measured: scattered!(measured),
            weights: scattered!(weights),
            counted: scattered!(counted),
        }
    }
}

/// The rows of one rank, still in global numbering of vertices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RankObservations {
    lengths: Vec<u32>,
    vertices: Vec<u32>,
    shares: Vec<f64>,
    measured: Vec<f64>,
    weights: Vec<f64>,
    counted: Vec<u8>,
}

impl RankObservations {
    /// Rows with local vertices: `local` gives the local number of a global vertex, owned vertices
    /// first, ghosts after.
    ///
    /// # Errors
    /// `Bug` when a vertex of a row is not on this rank (a rank holds all tetrahedra of its
    /// vertices, and a row lies in one tetrahedron).
    pub fn localise(self, local: impl Fn(u32) -> Option<u32>) -> Result<LocalObservations> {
        let vertices = self
            .vertices
            .iter()
            .map(|&v| {
                local(v).ok_or_else(|| {
                    Error::Bug(format!(
                        "measurement at vertex {v}, which is not on this rank"
                    ))
                })
            })
            .collect::<Result<Vec<u32>>>()?;
        let mut offsets = vec![0];
        let mut end = 0;
        offsets.extend(self.lengths.iter().map(|n| {
            end += n;
            end
        }));
        Ok(LocalObservations {
            sampling: Sampling {
                offsets,
                vertices,
                shares: self.shares,
            },
            measured: self.measured,
            weights: self.weights,
            counted: self.counted.into_iter().map(|c| c != 0).collect(),
        })
    }
}

/// The measurements that touch a vertex of this rank, in local numbering.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalObservations {
    sampling: Sampling,
    /// φ*_j, ms, finite.
    measured: Vec<f64>,
    weights: Vec<f64>,
    /// Whether the row's misfit counts here (the owner of its first vertex).
    counted: Vec<bool>,
}

impl LocalObservations {
    /// Number of rows on this rank.
    pub fn len(&self) -> usize {
        self.sampling.len()
    }

    /// Whether this rank has no row.
    pub fn is_empty(&self) -> bool {
        self.sampling.is_empty()
    }

    /// Residuals r = φ* − H φ (ms) of this rank's rows; `phi` holds owned and ghost vertices.
    ///
    /// # Errors
    /// `BadData` when no source reaches a measured vertex.
    pub fn residuals(&self, phi: &[f64]) -> Result<Vec<f64>> {
        let mut unreached = 0_usize;
        let residuals = (0..self.len())
            .map(|j| {
                let (vertices, _) = self.sampling.row(j);
                unreached += usize::from(vertices.iter().any(|&v| phi[v as usize].is_infinite()));
                self.measured[j] - self.sampling.apply_row(j, phi)
            })
            .collect();
        if unreached > 0 {
            return Err(Error::bad_data(
                "measured times",
                format!("no source reaches {unreached} of the places of measurement of this rank"),
                "add a source to their component of the mesh, or write NaN there",
            ));
        }
        Ok(residuals)
    }

    /// f = Σ_j w_j r_j² over all ranks, the same bits for any number of them. Collective.
    pub fn misfit(&self, comm: &dyn Communicator, residuals: &[f64]) -> f64 {
        let terms: Vec<f64> = (0..self.len())
            .filter(|&j| self.counted[j])
            .map(|j| self.weights[j] * residuals[j] * residuals[j])
            .collect();
        comm::reproducible_sum(comm, &terms)
    }

    /// φ̄ = df/dφ = −2 Hᵀ W r of the `owned` first vertices, complete without communication.
    pub fn phi_bar(&self, residuals: &[f64], owned: usize) -> Vec<f64> {
        let mut phi_bar = vec![0.0; owned];
        for j in 0..self.len() {
            let (vertices, shares) = self.sampling.row(j);
            let source = -2.0 * self.weights[j] * residuals[j];
            for (&v, h) in vertices.iter().zip(shares) {
                if let Some(x) = phi_bar.get_mut(v as usize) {
                    *x += h * source;
                }
            }
        }
        phi_bar
    }

    /// Jᵀ W J (k × k) over all ranks, with J = H φ̇ and φ̇ = dφ/dγ (`phi_dot`, row-major
    /// vertices × k, owned and ghost vertices). The same bits for any number of ranks and threads.
    /// Collective.
    pub fn normal_matrix(
        &self,
        comm: &dyn Communicator,
        phi_dot: &[f64],
        domains: usize,
    ) -> DMatrix<f64> {
        let k = domains;
        let rows: Vec<usize> = (0..self.len()).filter(|&j| self.counted[j]).collect();
        let jacobian_row = |j: usize, row: &mut [f64]| {
            row.fill(0.0);
            let (vertices, shares) = self.sampling.row(j);
            for (&v, h) in vertices.iter().zip(shares) {
                let tangent = &phi_dot[v as usize * k..][..k];
                row.iter_mut().zip(tangent).for_each(|(x, t)| *x += h * t);
            }
        };
        // |w J_a J_b| ≤ max(√w |J_a|) max(√w |J_b|), up to rounding.
        let mut columns = vec![0.0_f64; k];
        let mut row = vec![0.0; k];
        for &j in &rows {
            jacobian_row(j, &mut row);
            let root = self.weights[j].sqrt();
            for (c, x) in columns.iter_mut().zip(&row) {
                *c = modulus_bound([*c, root * x]);
            }
        }
        comm.max_f64(&mut columns);
        let bounds = (0..k)
            .flat_map(|a| (0..=a).map(move |b| (a, b)))
            .map(|(a, b)| 1.001 * columns[a] * columns[b])
            .collect();
        let sums = comm::sums_for(comm, bounds, rows.len());
        let sums = rows
            .par_chunks(4096)
            .fold(
                || sums.clone(),
                |mut sums, chunk| {
                    let mut row = vec![0.0; k];
                    for &j in chunk {
                        jacobian_row(j, &mut row);
                        let mut first = 0;
                        for a in 0..k {
                            sums.add_scaled(first, self.weights[j] * row[a], &row[..=a]);
                            first += a + 1;
                        }
                    }
                    sums
                },
            )
            .reduce(
                || sums.clone(),
                |mut a, b| {
                    a.merge(&b);
                    a
                },
            );
        let packed = comm::sum_over_ranks(comm, sums);
        DMatrix::from_fn(k, k, |a, b| {
            let (a, b) = (a.max(b), a.min(b));
            packed[a * (a + 1) / 2 + b]
        })
    }
}

/// df/dγ = φ̇ᵀ φ̄ (k) over the owned vertices of all ranks: the gradient by tangents. `phi_dot` is
/// row-major vertices × k. The same bits for any number of ranks and threads. Collective.
pub fn tangent_gradient(
    comm: &dyn Communicator,
    phi_bar: &[f64],
    phi_dot: &[f64],
    domains: usize,
) -> Vec<f64> {
    let k = domains;
    let mut columns = vec![0.0_f64; k];
    for tangent in phi_dot[..phi_bar.len() * k].chunks_exact(k.max(1)) {
        for (c, x) in columns.iter_mut().zip(tangent) {
            *c = modulus_bound([*c, *x]);
        }
    }
    comm.max_f64(&mut columns);
    let mut largest = [modulus_bound(phi_bar.iter().copied())];
    comm.max_f64(&mut largest);
    let bounds = columns.iter().map(|c| 1.001 * c * largest[0]).collect();
    let mut sums = comm::sums_for(comm, bounds, phi_bar.len());
    for (x, tangent) in phi_bar.iter().zip(phi_dot.chunks_exact(k.max(1))) {
        sums.add_scaled(0, *x, tangent);
    }
    comm::sum_over_ranks(comm, sums)
}

/// Adds Gaussian noise of the given standard deviation (ms) to times in global order; the seed
/// alone determines it.
///
/// # Errors
/// `BadData` for a standard deviation that is negative or not finite.
pub fn add_noise(times: &mut [f64], standard_deviation: f64, seed: u64) -> Result<()> {
    if !(standard_deviation.is_finite() && standard_deviation >= 0.0) {
        return Err(Error::bad_data(
            "inversion.twin.noise_ms",
            format!("standard deviation {standard_deviation}"),
            "give a finite number ≥ 0, in ms",
        ));
    }
    let normal = Normal::new(0.0, standard_deviation)
        .map_err(|e| Error::Bug(format!("normal distribution: {e}")))?;
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    for t in times {
        *t += normal.sample(&mut rng);
    }
    Ok(())
}
