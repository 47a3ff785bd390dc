//! Where and what was measured: the rows of the sampling operator H with times and weights.
//!
//! (H φ)_j = Σ_i h_ji φ_i samples a solution: one vertex with share 1, or the corners of a
//! tetrahedron with barycentric shares ([`super::locate`]). [`Observations`] lists all rows in
//! global numbering on rank 0; [`Observations::scatter`] gives every rank those that touch one of
//! its vertices.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rand_distr::{Distribution, Normal};

use super::misfit::LocalObservations;
use crate::comm::{Communicator, scatter_slices};
use crate::error::{Error, Result};

/// What errors in measured times are about.
pub const MEASURED: &str = "measured times";

/// What errors in their weights are about.
pub const WEIGHTS: &str = "weights of the measurements";

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

    /// H φ for the solution on all vertices of the mesh.
    ///
    /// # Errors
    /// `BadData`: a row of a vertex that does not exist.
    pub fn apply(&self, phi: &[f64]) -> Result<Vec<f64>> {
        self.check_vertices(phi.len())?;
        Ok((0..self.len()).map(|j| self.apply_row(j, phi)).collect())
    }

    fn check_vertices(&self, mesh_vertices: usize) -> Result<()> {
        let Some(v) = self.vertices.iter().find(|&&v| v as usize >= mesh_vertices) else {
            return Ok(());
        };
        Err(Error::bad_data(
            "inversion.vertices",
            format!("vertex {v} does not exist"),
            format!(
                "the mesh has vertices 0 to {}",
                mesh_vertices.saturating_sub(1)
            ),
        ))
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
    /// Rows that take no part.
    missing: usize,
    /// Those of them with an infinite time, which no wave reached.
    unreached: usize,
}

impl Observations {
    /// Measurements at the rows of `sampling`. `measured` (ms, NaN or +∞: not measured there) and
    /// `weights` (absent: 1) hold one value per row or one per vertex of the mesh.
    ///
    /// # Errors
    /// `BadData`: wrong length, times of −∞, weights that are negative or not finite, rows of
    /// vertices that do not exist, nothing measured at all.
    pub fn new(
        sampling: Sampling,
        measured: Vec<f64>,
        weights: Option<Vec<f64>>,
        mesh_vertices: usize,
    ) -> Result<Self> {
        sampling.check_vertices(mesh_vertices)?;
        let measured = sampling.values_at_rows(MEASURED, measured, mesh_vertices)?;
        let weights = match weights {
            Some(w) => sampling.values_at_rows(WEIGHTS, w, mesh_vertices)?,
            None => vec![1.0; sampling.len()],
        };
        if let Some(j) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            return Err(Error::bad_data(
                WEIGHTS,
                format!("weight {} of measurement {j}", weights[j]),
                "weights must be finite and not negative; 0 leaves a measurement out",
            ));
        }
        if let Some(j) = measured.iter().position(|t| *t == f64::NEG_INFINITY) {
            return Err(Error::bad_data(
                MEASURED,
                format!("measurement {j} is -inf"),
                "write NaN, or +inf, where nothing was measured",
            ));
        }
        let unreached = |(t, w): (&f64, &f64)| *t == f64::INFINITY && *w > 0.0;
        let unreached = measured
            .iter()
            .zip(&weights)
            .filter(|r| unreached(*r))
            .count();
        let not_measured = |t: f64| if t.is_finite() { t } else { f64::NAN };
        let measured = measured.into_iter().map(not_measured).collect();
        let mut all = Self {
            sampling,
            measured,
            weights,
            missing: 0,
            unreached,
        };
        all.missing = (0..all.len()).filter(|&j| !all.takes_part(j)).count();
        if all.missing == all.len() {
            return Err(Error::bad_data(
                MEASURED,
                format!("no finite value of positive weight among {}", all.missing),
                "an inversion needs at least one measured time",
            ));
        }
        Ok(all)
    }

    /// Measurements made by the program itself: H φ of the solution `phi` (ms, all vertices of the
    /// mesh) with Gaussian noise. Vertices that no source reaches count as not measured.
    ///
    /// # Errors
    /// Those of [`Self::new`] and [`add_noise`].
    pub fn twin(
        sampling: Sampling,
        phi: &[f64],
        noise_ms: f64,
        seed: u64,
        weights: Option<Vec<f64>>,
    ) -> Result<Self> {
        // 0 · ∞ of a share is NaN.
        let reached = |t: f64| if t.is_finite() { t } else { f64::INFINITY };
        let mut measured: Vec<f64> = sampling.apply(phi)?.into_iter().map(reached).collect();
        add_noise(&mut measured, noise_ms, seed)?;
        Self::new(sampling, measured, weights, phi.len())
    }

    /// Number of rows, those without a measurement included.
    pub fn len(&self) -> usize {
        self.sampling.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.sampling.is_empty()
    }

    /// Vertices and shares, measured time (ms) and weight of each row.
    pub fn rows(&self) -> impl Iterator<Item = ((&[u32], &[f64]), f64, f64)> {
        (0..self.len()).map(|j| (self.sampling.row(j), self.measured[j], self.weights[j]))
    }

    /// Rows that take no part: nothing measured (NaN, +∞) or weight 0.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Rows of [`Self::missing`] with time +∞: no wave arrived.
    pub fn unreached(&self) -> usize {
        self.unreached
    }

    fn takes_part(&self, j: usize) -> bool {
        !self.measured[j].is_nan() && self.weights[j] > 0.0
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
            for j in (0..all.len()).filter(|&j| all.takes_part(j)) {
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
        let sampling = Sampling {
            offsets,
            vertices,
            shares: self.shares,
        };
        let counted = self.counted.into_iter().map(|c| c != 0).collect();
        Ok(LocalObservations::new(
            sampling,
            self.measured,
            self.weights,
            counted,
        ))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn message(result: Result<Observations>) -> String {
        match result.unwrap_err() {
            e @ Error::BadData { .. } => e.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_per_row_or_per_vertex_of_the_mesh() {
        let sampling = Sampling::at_vertices([4, 1]);
        let times = vec![0.0, 10.0, 20.0, 30.0, 40.0];
        let per_mesh = Observations::new(sampling.clone(), times, None, 5).unwrap();
        let per_row = Observations::new(sampling, vec![40.0, 10.0], None, 5).unwrap();
        assert_eq!(per_mesh, per_row);
        assert_eq!(per_row.missing(), 0);
    }

    #[test]
    fn bad_data_is_named() {
        let sampling = || Sampling::at_vertices([0, 2]);
        let new = |measured: &[f64], weights: Option<&[f64]>, n| {
            Observations::new(
                sampling(),
                measured.to_vec(),
                weights.map(<[f64]>::to_vec),
                n,
            )
        };
        let text = message(new(&[1.0; 4], None, 3));
        assert!(
            text.contains("4 values for 2 places") && text.contains("(3)"),
            "{text}"
        );
        assert!(message(new(&[1.0; 2], Some(&[1.0]), 3)).contains("weights"));
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            let text = message(new(&[1.0; 2], Some(&[1.0, bad]), 3));
            assert!(text.contains("measurement 1"), "{text}");
        }
        assert!(message(new(&[1.0, f64::NEG_INFINITY], None, 3)).contains("-inf"));
        assert!(message(new(&[f64::NAN; 2], None, 3)).contains("no finite value"));
        assert!(message(new(&[1.0; 2], None, 2)).contains("vertex 2 does not exist"));
        assert_eq!(new(&[1.0, f64::NAN], None, 3).unwrap().missing(), 1);
    }

    #[test]
    fn noise_has_its_moments_and_depends_on_the_seed_only() {
        let phi = vec![5.0; 40_000];
        let twin = |seed| {
            let sampling = Sampling::at_vertices(0..40_000);
            Observations::twin(sampling, &phi, 2.0, seed, None).unwrap()
        };
        assert_eq!(twin(1), twin(1));
        assert_ne!(twin(1).measured, twin(2).measured);
        let noise: Vec<f64> = twin(1).measured.iter().map(|t| t - 5.0).collect();
        let n = noise.len() as f64;
        let mean = noise.iter().sum::<f64>() / n;
        let deviation = (noise.iter().map(|x| x * x).sum::<f64>() / n).sqrt();
        // Four standard errors.
        assert!(mean.abs() < 4.0 * 2.0 / n.sqrt());
        assert!((deviation - 2.0).abs() < 4.0 * 2.0 / (2.0 * n).sqrt());
        for bad in [-1.0, f64::NAN] {
            assert!(add_noise(&mut [0.0], bad, 1).is_err());
        }
    }

    #[test]
    fn a_twin_measures_nothing_where_no_source_reaches() {
        let sampling = Sampling::at_vertices([0, 1]);
        let twin = Observations::twin(sampling, &[3.0, f64::INFINITY], 0.0, 0, None).unwrap();
        assert_eq!((twin.measured[0], twin.missing()), (3.0, 1));
        assert_eq!(twin.unreached(), 1);
    }

    #[test]
    fn infinite_times_of_a_result_are_not_measured() {
        let times = vec![f64::INFINITY, 2.0, f64::NAN, f64::INFINITY];
        let weights = Some(vec![1.0, 1.0, 1.0, 0.0]);
        let all = Observations::new(Sampling::at_vertices(0..4), times, weights, 4).unwrap();
        assert_eq!((all.missing(), all.unreached()), (3, 1));
        let finite: Vec<f64> = all.rows().map(|r| r.1).filter(|t| !t.is_nan()).collect();
        assert_eq!(finite, [2.0]);
    }
}
