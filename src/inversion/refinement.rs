//! Refinement of domains: which one to split, and along which plane.
//!
//! Let g_t = df/dlog γ of tetrahedron t, as if each had a γ of its own; from the sensitivity to the
//! metric it is −df/dN : N. At the best γ of a domain its g_t add up to 0: where γ should differ
//! inside it, one side of the domain has g_t < 0, the other g_t > 0. Every domain is cut where the
//! running sum of g_t along a direction is largest; of the directions, x, y, z and the dipole
//! Σ g_t (x_t − x̄), the one whose sum is largest counts.
//!
//! Which cut pays is what a Gauss–Newton step says that frees one side of it: with a the change of
//! log γ on that side and L those of all domains as they are,
//!
//!   decrease of F = (g_a − H_aL H_LL⁻¹ g_L)² / 2 (H_aa − H_aL H_LL⁻¹ H_La).

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::uncertainty::Inverse;
use crate::mesh::TetMesh;
use crate::tensor::{Vec3, add, dot, scale, sub, unit};

/// Least share of a domain's tetrahedra on either side of its cut.
const LEAST_SHARE: f64 = 0.1;

/// Share of the largest decrease from which on further domains are split in the same round.
const WORTH: f64 = 0.5;

/// A curvature below this share of that without the other domains is rounding.
const LEAST_CURVATURE: f64 = 1e-8;

/// A plane that divides a domain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The domain that keeps its number on the side of smaller coordinates.
    pub domain: u32,
    pub normal: Vec3,
    /// mm from the origin along the normal.
    pub offset: f64,
}

impl Split {
    /// Whether a tetrahedron of the domain, by its corners (mm, in the file's order), lies beyond.
    pub fn is_beyond(&self, corners: [Vec3; 4]) -> bool {
        dot(self.normal, centroid(corners)) > self.offset
    }
}

/// Domains after `splits`, one of a domain at most: what lies beyond the plane of splits[i] is
/// domain `count` + i. `corners(t)` are those of the tetrahedron that `domains[t]` belongs to.
pub fn divide(
    domains: &mut [u32],
    count: usize,
    splits: &[Split],
    corners: impl Fn(usize) -> [Vec3; 4],
) {
    let mut of_domain = vec![None; count];
    for (split, new) in splits.iter().zip(count as u32..) {
        of_domain[split.domain as usize] = Some((split, new));
    }
    for (t, domain) in domains.iter_mut().enumerate() {
        if let Some((split, new)) = of_domain[*domain as usize]
            && split.is_beyond(corners(t))
        {
            *domain = new;
        }
    }
}

/// The cut of each of `count` domains, in their order, from df/dlog γ of each tetrahedron; domains
/// of one tetrahedron, and those without sensitivities, have none.
pub fn cuts(mesh: &TetMesh, domains: &[u32], count: usize, sensitivity: &[f64]) -> Vec<Split> {
    let mut members = vec![Vec::new(); count];
    for (t, domain) in domains.iter().enumerate() {
        members[*domain as usize].push(t);
    }
    let domains = (0u32..).zip(&members);
    domains
        .filter_map(|(domain, members)| cut(mesh, domain, members, sensitivity))
        .collect()
}

fn cut(mesh: &TetMesh, domain: u32, members: &[usize], sensitivity: &[f64]) -> Option<Split> {
    let volumes: Vec<f64> = members.iter().map(|t| mesh.volume(*t).abs()).collect();
    let whole: f64 = volumes.iter().sum();
    // Penalties leave a sum that is not 0: that of the domain as a whole.
    let mean = members.iter().map(|t| sensitivity[*t]).sum::<f64>() / whole;
    let centres: Vec<Vec3> = members.iter().map(|t| centroid(mesh.corners(*t))).collect();
    let deviations: Vec<f64> = members
        .iter()
        .zip(&volumes)
        .map(|(t, volume)| sensitivity[*t] - mean * volume)
        .collect();
    let middle = scale(1.0 / centres.len() as f64, sum(centres.iter().copied()));
    let dipole = sum((centres.iter().zip(&deviations)).map(|(x, g)| scale(*g, sub(*x, middle))));
    let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let directions = unit(dipole).into_iter().chain(axes);
    let mut best: Option<(f64, Split)> = None;
    for normal in directions {
        let found = along(normal, &centres, &deviations);
        if let Some((size, offset)) = found.filter(|f| best.is_none_or(|(size, _)| f.0 > size)) {
            let split = Split {
                domain,
                normal,
                offset,
            };
            best = Some((size, split));
        }
    }
    best.map(|(_, split)| split)
}

/// Largest modulus of the running sum along a direction, and where it is taken.
fn along(normal: Vec3, centres: &[Vec3], deviations: &[f64]) -> Option<(f64, f64)> {
    let place: Vec<f64> = centres.iter().map(|x| dot(normal, *x)).collect();
    let mut order: Vec<usize> = (0..place.len()).collect();
    order.sort_by(|&a, &b| place[a].total_cmp(&place[b]).then(a.cmp(&b)));
    let least = ((LEAST_SHARE * order.len() as f64) as usize).max(1);
    let (mut running, mut best) = (0.0, None);
    for (i, pair) in order.windows(2).enumerate() {
        running += deviations[pair[0]];
        let (before, after) = (place[pair[0]], place[pair[1]]);
        let offset = before + 0.5 * (after - before);
        let divides = before <= offset && offset < after;
        let even = i + 1 >= least && order.len() - i > least;
        let size = f64::abs(running);
        if divides && even && size > best.map_or(0.0, |(size, _)| size) {
            best = Some((size, offset));
        }
    }
    best
}

/// The cuts that a Gauss–Newton step favours, the best first, at most `most`: those that lower F by
/// more than `least` ms² and at least half as much as the best.
///
/// `gradient` and `hessian` are dF/dθ and 2 Jᵀ W J + R″, where θ is log γ of the `count` domains with
/// all `cuts` made, as [`divide`] numbers them, and then whatever else is estimated.
pub fn choose(
    cuts: &[Split],
    count: usize,
    gradient: &[f64],
    hessian: &DMatrix<f64>,
    least: f64,
    most: usize,
) -> Vec<Split> {
    let gains = gains(cuts, count, gradient, hessian);
    let mut order: Vec<usize> = (0..cuts.len()).collect();
    order.sort_by(|&a, &b| gains[b].total_cmp(&gains[a]).then(a.cmp(&b)));
    let largest = order.first().map_or(0.0, |&i| gains[i]);
    let worth = |i: &usize| gains[*i] > least && gains[*i] >= WORTH * largest;
    let chosen = order.into_iter().filter(worth).take(most);
    chosen.map(|i| cuts[i]).collect()
}

/// Decrease of F that each cut promises, ms².
fn gains(cuts: &[Split], k: usize, gradient: &[f64], hessian: &DMatrix<f64>) -> Vec<f64> {
    let all = gradient.len();
    // A domain as it is moves with what its cut leaves beyond.
    let lumped = DMatrix::from_fn(all, all - cuts.len(), |i, column| {
        let row = match i.checked_sub(k) {
            None => i,
            Some(i) => cuts
                .get(i)
                .map_or(k + i - cuts.len().min(i), |cut| cut.domain as usize),
        };
        f64::from(u8::from(row == column))
    });
    let gradient = DMatrix::from_column_slice(all, 1, gradient);
    let across = hessian * &lumped;
    let inverse = Inverse::new(&(lumped.transpose() * &across)).matrix;
    let rest = &inverse * lumped.transpose() * &gradient;
    (k..k + cuts.len())
        .map(|a| {
            let row = across.row(a);
            let slope = gradient[a] - (row * &rest)[0];
            let curvature = hessian[(a, a)] - (row * &inverse * row.transpose())[0];
            match curvature > LEAST_CURVATURE * hessian[(a, a)] {
                true => 0.5 * slope * slope / curvature,
                false => 0.0,
            }
        })
        .collect()
}

fn sum(vectors: impl Iterator<Item = Vec3>) -> Vec3 {
    vectors.fold([0.0; 3], add)
}

fn centroid([a, b, c, d]: [Vec3; 4]) -> Vec3 {
    scale(0.25, add(add(a, b), add(c, d)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::DVector;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A row of `n` tetrahedra along an axis, each with its centroid at (i, 0, 0) in that direction.
    fn row(n: usize, axis: Vec3) -> TetMesh {
        let corner = [
            [1.0, 1.0, 1.0],
            [1.0, -1.0, -1.0],
            [-1.0, 1.0, -1.0],
            [-1.0, -1.0, 1.0],
        ];
        let points = (0..n)
            .flat_map(|i| corner.map(|x| add(scale(i as f64, axis), scale(0.1, x))))
            .collect();
        let tetrahedra = (0..n as u32)
            .map(|i| [0, 1, 2, 3].map(|c| 4 * i + c))
            .collect();
        TetMesh::new(points, tetrahedra)
    }

    #[test]
    fn a_domain_is_cut_where_its_sensitivity_changes_sign() {
        let axis = unit([1.0, 2.0, -0.5]).unwrap();
        let mesh = row(40, axis);
        // Domain 0: tetrahedra 0 to 29, the change after 21; domain 1 has none.
        let domains: Vec<u32> = (0..40).map(|t| u32::from(t >= 30)).collect();
        let of = |t: usize| match t {
            0..22 => 1.0,
            22..30 => -22.0 / 8.0,
            _ => 0.0,
        };
        let sensitivity: Vec<f64> = (0..40).map(of).collect();
        let found = cuts(&mesh, &domains, 2, &sensitivity);
        assert_eq!(found.len(), 1);
        let mut divided = domains.clone();
        divide(&mut divided, 2, &found, |t| mesh.corners(t));
        let low = divided[0];
        for (t, domain) in divided.iter().enumerate() {
            let expected = match t {
                0..22 => low,
                22..30 => 2 - low,
                _ => 1,
            };
            assert_eq!(*domain, expected, "{t}");
        }
        assert!(dot(found[0].normal, axis).abs() > 0.999);
        // One tetrahedron at the end is too small a side.
        let end: Vec<f64> = (0..40).map(|t| [1.0, 29.0][usize::from(t == 29)]).collect();
        let cut = cuts(&mesh, &domains, 2, &end)[0];
        let beyond = (0..30).filter(|t| cut.is_beyond(mesh.corners(*t))).count();
        assert!((3..=27).contains(&beyond), "{beyond}");
        assert!(cuts(&mesh, &domains, 2, &[0.0; 40]).is_empty());
    }

    /// The promised decrease is that of the least-squares problem with one more column, solved
    /// anew.
    #[test]
    fn the_decrease_is_that_of_the_larger_problem() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut random = || rng.random_range(-1.0..1.0);
        let (n, k) = (30, 4);
        let split = |domain| Split {
            domain,
            normal: [1.0, 0.0, 0.0],
            offset: 0.0,
        };
        let cuts = [split(2), split(0)];
        // Four domains, two cuts, and one more parameter.
        let j = DMatrix::from_fn(n, k + 3, |_, _| random());
        let r = DVector::from_fn(n, |_, _| random());
        let gradient = -2.0 * j.transpose() * &r;
        let hessian = 2.0 * j.transpose() * &j;
        let least = |columns: DMatrix<f64>| {
            let x = columns.clone().svd(true, true).solve(&r, 1e-12).unwrap();
            (&r - columns * x).norm_squared()
        };
        let lumped = |a: Option<usize>| {
            let mut columns = j.columns(0, k).into_owned();
            for (i, cut) in cuts.iter().enumerate() {
                let moved = columns.column(cut.domain as usize) + j.column(k + i);
                columns.set_column(cut.domain as usize, &moved);
            }
            let mut more = columns.insert_columns(k, 2, 0.0);
            more.set_column(k, &j.column(k + 2));
            match a {
                Some(a) => more.set_column(k + 1, &j.column(k + a)),
                None => more = more.remove_column(k + 1),
            }
            more
        };
        let before = least(lumped(None));
        // From a point that is not the minimum of the domains as they are: what they gain does not
        // count.
        let found = gains(&cuts, k, gradient.as_slice(), &hessian);
        for (a, gain) in found.iter().enumerate() {
            let expected = before - least(lumped(Some(a)));
            assert!((gain - expected).abs() < 1e-12, "{gain} {expected}");
        }
        let best = usize::from(found[1] > found[0]);
        let chosen = choose(&cuts, k, gradient.as_slice(), &hessian, 0.0, 1);
        assert_eq!(chosen, [cuts[best]]);
        let none = choose(&cuts, k, gradient.as_slice(), &hessian, 1e3, 2);
        assert!(none.is_empty());
        // Half a domain that nothing sees promises nothing.
        let mut unseen = hessian.clone();
        unseen.row_mut(k).fill(0.0);
        unseen.column_mut(k).fill(0.0);
        assert_eq!(gains(&cuts, k, gradient.as_slice(), &unseen)[0], 0.0);
    }
}
