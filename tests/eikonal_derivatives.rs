//! Derivatives of the activation times: tangent, adjoint, all-active and finite differences
//! against each other, and against what homogeneity says.

mod common;

use common::cases::{self, Case};
use common::ranks::{Parts, assemble, on_ranks};
use common::{bits, relative_error};
use isochrone::comm::halo::Traffic;
use isochrone::eikonal::dual::Dual;
use isochrone::eikonal::forward::Source;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Derivatives by tangent and adjoint at the case's γ, in the file's order.
struct Derivatives {
    phi: Vec<f64>,
    /// dφ/dγ, vertex by vertex.
    jacobian: Vec<f64>,
    /// φ̄ for the given seed.
    phi_bar: Vec<f64>,
    /// Terms of γ̄ in order of vertex: (domain, term).
    terms: Vec<(u32, usize, f64)>,
    /// df/dM by tetrahedron.
    tensor: Vec<[f64; 6]>,
    cyclic: u64,
}

impl Derivatives {
    fn gamma_bar(&self, domains: usize) -> Vec<f64> {
        let mut sums = vec![0.0; domains];
        for (_, k, term) in &self.terms {
            sums[*k] += term;
        }
        sums
    }
}

fn derivatives(case: &Case, parts: Parts, seed: &[f64]) -> Derivatives {
    let k = case.gamma.len();
    let results = on_ranks::<f64, _>(case, &case.gamma, parts, None, |rank| {
        let mut traffic = Traffic::default();
        let (comm, eikonal, solution) = (rank.comm, rank.eikonal, rank.solution);
        let jacobian = eikonal.jacobian(comm, solution, &case.gamma, &mut traffic);
        let downwind = eikonal.downwind(comm, solution, &mut traffic);
        let owned = rank.local.owned;
        let numbers = &rank.local.global_vertices;
        // What ghosts hold on entry must not matter.
        let mut phi_bar: Vec<f64> = (0..numbers.len())
            .map(|v| {
                if v < owned {
                    seed[numbers[v] as usize]
                } else {
                    f64::NAN
                }
            })
            .collect();
        eikonal.adjoint(comm, solution, &downwind, &mut phi_bar, &mut traffic);
        let with_stencil = (0..owned).filter(|v| !solution.stencils[*v].is_fixed());
        let by_gamma: Vec<_> = eikonal
            .gamma_bar_terms(solution, &case.gamma, &phi_bar)
            .collect();
        let terms: Vec<(u32, usize, f64)> = with_stencil
            .zip(by_gamma)
            .map(|(v, (k, term))| (numbers[v], k, term))
            .collect();
        let tensor: Vec<(u32, [f64; 6])> = eikonal
            .metric_sensitivity(rank.local, solution, &downwind, &case.gamma, &phi_bar)
            .into_iter()
            .zip(&rank.local.global_tetrahedra)
            .filter_map(|(s, t)| Some((*t, case.metric_tensor(*t as usize).minus_n_s_n(&s?))))
            .collect();
        (
            rank.owned(&solution.phi, 1),
            rank.owned(&jacobian[..owned * k], k),
            rank.owned(&phi_bar[..owned], 1),
            terms,
            tensor,
            solution.counters.cyclic_vertices,
        )
    });
    let (mut phi, mut jacobian, mut phi_bar) = (Vec::new(), Vec::new(), Vec::new());
    let (mut terms, mut cyclic) = (Vec::new(), 0);
    let mut tensor = vec![[f64::NAN; 6]; case.mesh.tetrahedron_count()];
    for (p, j, b, t, m, c) in results {
        phi.push(p);
        jacobian.push(j);
        phi_bar.push(b);
        terms.extend(t);
        cyclic += c;
        for (t, m) in m {
            assert!(tensor[t as usize][0].is_nan(), "two ranks answer for {t}");
            tensor[t as usize] = m;
        }
    }
    terms.sort_unstable_by_key(|t| t.0);
    assert!(tensor.iter().flatten().all(|x| x.is_finite()));
    Derivatives {
        phi: assemble(case, phi),
        jacobian: assemble(case, jacobian),
        phi_bar: assemble(case, phi_bar),
        terms,
        tensor,
        cyclic,
    }
}

/// dφ/dγ of the whole iteration in dual numbers, `N − 1` domains at a time.
fn all_active<const N: usize>(case: &Case, parts: Parts) -> Vec<f64> {
    let k = case.gamma.len();
    let mut jacobian = vec![0.0; case.vertices() * k];
    for first in (0..k).step_by(N - 1) {
        let here = first..k.min(first + N - 1);
        let gamma: Vec<Dual<N>> = (0..k)
            .map(|j| {
                let mut dual = [0.0; N];
                dual[0] = case.gamma[j];
                if here.contains(&j) {
                    dual[1 + j - first] = 1.0;
                }
                Dual(dual)
            })
            .collect();
        let rows = on_ranks(case, &gamma, parts, None, |rank| {
            let phi = &rank.solution.phi[..rank.local.owned];
            let flat: Vec<f64> = phi.iter().flat_map(|p| p.0[1..].to_vec()).collect();
            rank.owned(&flat, N - 1)
        });
        let rows = assemble(case, rows);
        for v in 0..case.vertices() {
            for j in here.clone() {
                jacobian[v * k + j] = rows[v * (N - 1) + j - first];
            }
        }
    }
    jacobian
}

fn random(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The cases, cyclic ones included.
fn all_cases() -> Vec<(&'static str, Case)> {
    vec![
        ("cube", cases::cube(10).with_domains(7)),
        ("cube squared", cases::cube(8).squared().with_domains(7)),
        ("ventricle", cases::ventricle(3.5).with_domains(6)),
        (
            "ventricle squared",
            cases::ventricle(3.5).squared().with_domains(11),
        ),
        ("scrambled", cases::scrambled(7, 10.0, 5).with_domains(5)),
    ]
}

/// Tangent against all-active, adjoint against tangent (dot products), the same bits of the
/// adjoint and the tangent on all ranks.
fn check_derivatives(name: &str, case: &Case, tolerance: f64) {
    let k = case.gamma.len();
    let seed = random(case.vertices(), 5);
    let one = derivatives(case, Parts::Metis(1), &seed);
    let dual = all_active::<5>(case, Parts::Metis(2));
    let tangent_error = relative_error(&one.jacobian, &dual);
    // ⟨φ̄, J γ̇⟩ = ⟨γ̄, γ̇⟩ for every unit γ̇.
    let expected: Vec<f64> = (0..k)
        .map(|j| {
            let column: Vec<f64> = one.jacobian.iter().skip(j).step_by(k).copied().collect();
            dot(&seed, &column)
        })
        .collect();
    let adjoint_error = relative_error(&one.gamma_bar(k), &expected);
    println!(
        "{name}: {} cyclic vertices, tangent against all-active {tangent_error:.1e}, adjoint \
         against tangent {adjoint_error:.1e}",
        one.cyclic
    );
    assert!(tangent_error < tolerance, "{name}: {tangent_error:e}");
    assert!(adjoint_error < 1e-12, "{name}: {adjoint_error:e}");
    for parts in [
        Parts::Metis(2),
        Parts::Metis(3),
        Parts::Metis(4),
        Parts::Modulo(3),
        Parts::Stripes(2, 50),
    ] {
        let other = derivatives(case, parts, &seed);
        let what = format!("{name}, {parts:?}");
        assert_eq!(bits(&one.phi), bits(&other.phi), "{what}: times");
        assert!(
            bits(&one.jacobian) == bits(&other.jacobian),
            "{what}: tangent"
        );
        assert!(
            bits(&one.phi_bar) == bits(&other.phi_bar),
            "{what}: adjoint"
        );
        assert!(one.terms == other.terms, "{what}: γ̄");
        assert!(one.tensor == other.tensor, "{what}: df/dM");
    }
}

#[test]
fn derivatives_agree_on_the_cube() {
    check_derivatives("cube", &cases::cube(10).with_domains(7), 1e-12);
}

#[test]
fn derivatives_agree_on_the_ventricle() {
    check_derivatives("ventricle", &cases::ventricle(3.5).with_domains(6), 1e-12);
}

#[test]
fn derivatives_agree_on_cyclic_graphs() {
    check_derivatives(
        "cube squared",
        &cases::cube(10).squared().with_domains(7),
        1e-12,
    );
    let ventricle = cases::ventricle(3.5).squared().with_domains(11);
    check_derivatives("ventricle squared", &ventricle, 1e-12);
    let scrambled = cases::scrambled(8, 20.0, 2).with_domains(5);
    // All-active differentiates the cancellation in flat tetrahedra, too.
    check_derivatives("scrambled", &scrambled, 1e-11);
}

#[test]
fn derivatives_agree_on_the_cyclic_reference_ventricle() {
    let Some((case, _)) = cases::reference("left_ventricle_273k.h5", "M") else {
        return;
    };
    let case = case.squared().with_domains(4);
    let seed = random(case.vertices(), 6);
    let one = derivatives(&case, Parts::Metis(1), &seed);
    let error = relative_error(&one.jacobian, &all_active::<5>(&case, Parts::Metis(1)));
    println!("{} cyclic vertices, {error:.1e}", one.cyclic);
    assert!(one.cyclic > 0 && error < 1e-12, "{error:e}");
    let other = derivatives(&case, Parts::Stripes(2, 1000), &seed);
    assert!(bits(&one.jacobian) == bits(&other.jacobian));
    assert!(bits(&one.phi_bar) == bits(&other.phi_bar));
    assert!(one.terms == other.terms && one.tensor == other.tensor);
}

/// φ(c γ) = onset + (φ(γ) − onset)/√c, so Σ_k γ_k ∂φ/∂γ_k = −½ (φ − onset).
#[test]
fn euler_identity() {
    for (name, case) in all_cases() {
        for onset in [0.0, -3.0] {
            let source = Source {
                vertex: 17,
                time: onset,
            };
            let case = Case {
                sources: vec![source],
                ..case.clone()
            };
            let d = derivatives(&case, Parts::Metis(2), &vec![0.0; case.vertices()]);
            let (found, expected): (Vec<f64>, Vec<f64>) = d
                .jacobian
                .chunks_exact(case.gamma.len())
                .zip(&d.phi)
                .map(|(row, phi)| (dot(row, &case.gamma), -0.5 * (phi - onset)))
                .unzip();
            let error = relative_error(&found, &expected);
            println!("{name}: {error:.1e}");
            assert!(error < 1e-12, "{name}: {error:e}");
        }
    }
}

/// f = Σ (φ − φ*)² for a φ* that is no solution.
fn misfit(case: &Case, gamma: &[f64], target: &[f64]) -> f64 {
    let residual = |phi: &[f64]| phi.iter().zip(target).map(|(p, t)| (p - t).powi(2)).sum();
    let rows = on_ranks::<f64, _>(case, gamma, Parts::Metis(1), None, |rank| {
        rank.owned(&rank.solution.phi, 1)
    });
    residual(&assemble(case, rows))
}

/// φ* = φ(γ = 1), the misfit there, and its derivatives.
fn misfit_and_gradient(case: &Case) -> (Vec<f64>, f64, Derivatives) {
    let times = |gamma: Vec<f64>| {
        let case = Case {
            gamma,
            ..case.clone()
        };
        derivatives(&case, Parts::Metis(1), &vec![0.0; case.vertices()]).phi
    };
    let (phi, target) = (
        times(case.gamma.clone()),
        times(vec![1.0; case.gamma.len()]),
    );
    let seed: Vec<f64> = phi
        .iter()
        .zip(&target)
        .map(|(p, t)| 2.0 * (p - t))
        .collect();
    let value = misfit(case, &case.gamma, &target);
    (target, value, derivatives(case, Parts::Metis(2), &seed))
}

/// R M + M Rᵀ, the derivative of (I + h R) M (I + h R)ᵀ, for a random R of each tetrahedron.
fn congruences(case: &Case, seed: u64) -> Vec<[f64; 6]> {
    let noise = random(9 * case.tensors.len(), seed);
    let pairs = case.tensors.iter().zip(noise.chunks_exact(9));
    pairs
        .map(|(m, r)| {
            let full = [[m[0], m[1], m[2]], [m[1], m[3], m[4]], [m[2], m[4], m[5]]];
            let product =
                |i: usize, j: usize| (0..3).map(|k| r[3 * i + k] * full[k][j]).sum::<f64>();
            [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
                .map(|(i, j)| product(i, j) + product(j, i))
        })
        .collect()
}

/// Tensors of no symmetry, so that no two tetrahedra tie.
fn generic(mut case: Case) -> Case {
    let moves = congruences(&case, 14);
    for (m, d) in case.tensors.iter_mut().zip(moves) {
        // Little enough for the tensor to stay positive definite at fibre to cross ratios of 81.
        *m = std::array::from_fn(|i| m[i] + 0.004 * d[i]);
    }
    case
}

/// |f(γ + h δ) − f(γ) − h ⟨∇f, δ⟩| falls as h².
#[test]
fn taylor_remainder_is_of_second_order() {
    for (name, case) in all_cases() {
        let k = case.gamma.len();
        let (target, value, d) = misfit_and_gradient(&case);
        let direction = random(k, 9);
        let slope_of_f = dot(&d.gamma_bar(k), &direction);
        let remainder = |h: f64| {
            let gamma: Vec<f64> = case
                .gamma
                .iter()
                .zip(&direction)
                .map(|(g, d)| g + h * d)
                .collect();
            (misfit(&case, &gamma, &target) - value - h * slope_of_f).abs()
        };
        let remainders = [1e-4, 5e-5, 2.5e-5].map(remainder);
        let slopes = [0, 1].map(|i| (remainders[i] / remainders[i + 1]).log2());
        println!("{name}: remainders {remainders:?}, slopes {slopes:.3?}");
        assert!(
            slopes.iter().all(|s| (s - 2.0).abs() < 0.05),
            "{name}: {slopes:?}"
        );
    }
}

/// The V curves of finite differences: how deep they reach.
#[test]
fn finite_differences_reach_the_gradient() {
    for (name, case) in all_cases() {
        let k = case.gamma.len();
        let (target, value, d) = misfit_and_gradient(&case);
        // Along the gradient.
        let gradient = d.gamma_bar(k);
        let exact = dot(&gradient, &gradient).sqrt();
        let direction: Vec<f64> = gradient.iter().map(|g| g / exact).collect();
        let at = |h: f64| {
            let gamma: Vec<f64> = case
                .gamma
                .iter()
                .zip(&direction)
                .map(|(g, d)| g + h * d)
                .collect();
            misfit(&case, &gamma, &target)
        };
        let (mut central, mut one_sided) = (f64::INFINITY, f64::INFINITY);
        for step in 6..=20 {
            let h = 10f64.powf(-0.5 * f64::from(step));
            let (plus, minus) = (at(h), at(-h));
            central = central.min(((plus - minus) / (2.0 * h) / exact - 1.0).abs());
            one_sided = one_sided.min(((plus - value) / h / exact - 1.0).abs());
        }
        println!("{name}: central {central:.1e}, one-sided {one_sided:.1e}");
        assert!(central < 1e-9, "{name}: {central:e}");
        assert!(one_sided < 1e-6, "{name}: {one_sided:e}");
    }
}

/// df/dM of single tetrahedra and of all together against central differences of the misfit.
#[test]
fn tensor_sensitivity_agrees_with_differences() {
    for (name, case) in all_cases() {
        let case = generic(case);
        let (target, _, d) = misfit_and_gradient(&case);
        // Σ_ij (df/dM)_ij dM_ij: off-diagonal entries count twice.
        let pairing = |s: &[f64; 6], m: &[f64; 6]| {
            let weights = [1.0, 2.0, 2.0, 1.0, 2.0, 1.0];
            (0..6).map(|i| weights[i] * s[i] * m[i]).sum::<f64>()
        };
        let count = case.mesh.tetrahedron_count();
        let directions = congruences(&case, 11);
        let at = |h: f64, list: &[usize]| {
            let mut moved = case.clone();
            for t in list {
                for (entry, direction) in moved.tensors[*t].iter_mut().zip(directions[*t]) {
                    *entry += h * direction;
                }
            }
            misfit(&moved, &case.gamma, &target)
        };
        let all: Vec<usize> = (0..count).collect();
        let mut lists = vec![all];
        // Those with most to say, and some of all.
        let mut ranked: Vec<usize> = (0..count).collect();
        let size = |t: &usize| pairing(&d.tensor[*t], &directions[*t]).abs();
        ranked.sort_by(|a, b| size(b).total_cmp(&size(a)));
        lists.extend(ranked[..400].iter().step_by(100).map(|t| vec![*t]));
        for list in lists {
            let exact: f64 = list
                .iter()
                .map(|t| pairing(&d.tensor[*t], &directions[*t]))
                .sum();
            let error = [1e-4, 1e-5, 1e-6]
                .map(|h| ((at(h, &list) - at(-h, &list)) / (2.0 * h) / exact - 1.0).abs())
                .into_iter()
                .fold(f64::INFINITY, f64::min);
            println!("{name}, {} tetrahedra: {error:.1e}", list.len());
            assert!(error < 1e-6, "{name}, {} tetrahedra: {error:e}", list.len());
        }
    }
}

/// Any number of directions gives the columns of the Jacobian.
#[test]
fn blocks_of_directions() {
    let case = cases::cube(6).with_domains(5);
    for width in [1, 7, 11, 21] {
        let directions = random(5 * width, 12);
        let rows = on_ranks::<f64, _>(&case, &case.gamma, Parts::Metis(2), None, |rank| {
            let mut traffic = Traffic::default();
            let (comm, solution) = (rank.comm, rank.solution);
            let (eikonal, gamma) = (rank.eikonal, &case.gamma);
            let block = eikonal.tangent(comm, solution, gamma, &directions, width, &mut traffic);
            let jacobian = eikonal.jacobian(comm, solution, gamma, &mut traffic);
            let expected: Vec<f64> = jacobian
                .chunks_exact(5)
                .flat_map(|row| {
                    (0..width).map(|d| (0..5).map(|k| row[k] * directions[k * width + d]).sum())
                })
                .collect();
            relative_error(&block, &expected)
        });
        assert!(rows.iter().all(|e| *e < 1e-13), "{rows:?}");
    }
}

/// Reached by nothing: no derivative, and none of NaN.
#[test]
fn what_is_not_reached_has_no_derivative() {
    let case = cases::cube(4).with_domains(3);
    let case = Case {
        sources: Vec::new(),
        ..case
    };
    let d = derivatives(&case, Parts::Metis(2), &random(case.vertices(), 13));
    assert!(d.jacobian.iter().all(|x| *x == 0.0));
    assert!(d.terms.is_empty());
    assert!(d.tensor.iter().flatten().all(|x| *x == 0.0));
}
