//! The local solver against brute-force minimisation over the simplex.

mod common;

use common::brute_force;
use isochrone::eikonal::local_solver::{Corner, arrival, stencil};
use isochrone::partition::local_mesh::metric_lengths;
use isochrone::real::Real;
use isochrone::tensor::{Metric, Vec3, VelocityTensor, add, cross, dot, scale, sub, unit};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A local problem in coordinates.
#[derive(Debug, Clone, Copy)]
struct Local {
    metric: Metric,
    face: [Vec3; 3],
    x: Vec3,
    phi: [f64; 3],
}

impl Local {
    fn corner<T: Real>(&self) -> Corner<T> {
        let [a, b, c] = self.face;
        let lengths = metric_lengths(&self.metric, [a, b, c, self.x]);
        let [l12, l13, l14, l23, l24, l34] = lengths.map(T::from_f64);
        Corner {
            l12,
            l13,
            l23,
            l14,
            l24,
            l34,
            phi: self.phi.map(T::from_f64),
        }
    }

    fn brute_force(&self) -> f64 {
        brute_force::arrival(&self.metric, self.face, self.x, self.phi)
    }

    fn permuted(&self, order: [usize; 3]) -> Self {
        Self {
            face: order.map(|i| self.face[i]),
            phi: order.map(|i| self.phi[i]),
            ..*self
        }
    }

    /// Longest travel time between two of the vertices.
    fn diameter(&self) -> f64 {
        let [a, b, c] = self.face;
        let lengths = metric_lengths(&self.metric, [a, b, c, self.x]);
        lengths.iter().fold(0.0f64, |m, l| m.max(l.sqrt()))
    }
}

fn point(rng: &mut ChaCha8Rng) -> Vec3 {
    [0; 3].map(|_| rng.random_range(-1.0..1.0))
}

fn metric(rng: &mut ChaCha8Rng, ratio: f64) -> Metric {
    let f = unit(point(rng)).unwrap();
    let s = unit(cross(f, point(rng))).unwrap();
    let speed = |rng: &mut ChaCha8Rng| ratio.powf(-rng.random::<f64>());
    let speeds = [1.0, speed(rng), speed(rng)];
    VelocityTensor::from_fibres(speeds, f, s).metric().unwrap()
}

/// Volume over the product of three edges: 0 for flat ones.
fn quality(p: &Local) -> f64 {
    let [a, b, c] = p.face.map(|y| sub(y, p.x));
    let n = cross(a, b);
    dot(n, c).abs() / (dot(a, a) * dot(b, b) * dot(c, c)).sqrt()
}

/// Random shapes (many obtuse), speeds up to 10:1 in every direction, face values of all kinds.
fn problems(count: usize, seed: u64) -> Vec<Local> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rng = &mut rng;
    let mut problems = Vec::new();
    while problems.len() < count {
        let ratio = [1.0, 3.0, 10.0][rng.random_range(0..3)];
        let mut p = Local {
            metric: metric(rng, ratio),
            face: [0; 3].map(|_| point(rng)),
            x: point(rng),
            phi: [0.0; 3],
        };
        if quality(&p) < 1e-3 {
            continue;
        }
        let size = p.diameter();
        let base = [0.0, 17.0, -3.0, 250.0][rng.random_range(0..4)];
        let spread = [0.0, 0.1, 0.5, 1.5][rng.random_range(0..4)];
        p.phi = [0; 3].map(|_| base + size * spread * rng.random::<f64>());
        match problems.len() % 10 {
            7 => p.phi[rng.random_range(0..3)] = f64::INFINITY,
            8 => {
                let keep = rng.random_range(0..3);
                p.phi = [0, 1, 2].map(|i| if i == keep { p.phi[i] } else { f64::INFINITY });
            }
            // Two equal values.
            9 => p.phi[1] = p.phi[rng.random_range(0..2) * 2],
            _ => {}
        }
        problems.push(p);
    }
    problems
}

#[test]
fn agrees_with_brute_force() {
    let (mut worst, mut inner, mut edges, mut vertices) = (0.0f64, 0, 0, 0);
    for p in problems(4000, 1) {
        let found = stencil(&p.corner::<f64>());
        assert_eq!(
            found.phi,
            arrival(&p.corner::<f64>()),
            "one of the two lies"
        );
        let expected = p.brute_force();
        let error = (found.phi - expected).abs() / (p.diameter() + expected.abs());
        assert!(error < 1e-11, "{p:?}: {} instead of {expected}", found.phi);
        worst = worst.max(error);
        match found.lambda.iter().filter(|l| **l > 0.0).count() {
            3 => inner += 1,
            2 => edges += 1,
            _ => vertices += 1,
        }
    }
    println!("{inner} interior, {edges} on edges, {vertices} at vertices, {worst:.1e}");
    assert!(inner > 200 && edges > 500 && vertices > 500);
}

/// φ_i + (Kλ)_i / s − φ₄ ≥ 0, = 0 where λ_i > 0, K the Gram matrix of x₄ − x_i; and the value is
/// that of the functional at λ.
#[test]
fn optimality_conditions_hold() {
    for p in problems(20_000, 2) {
        let at = stencil(&p.corner::<f64>());
        let scale_of = p.diameter() + at.phi.abs();
        assert!((at.lambda.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(at.lambda.iter().all(|l| *l >= 0.0));
        let foot = (0..3).fold([0.0; 3], |x, i| add(x, scale(at.lambda[i], p.face[i])));
        let e = sub(p.x, foot);
        let s = p.metric.squared_length(e).sqrt();
        assert!(
            (s - at.s).abs() < 1e-9 * p.diameter(),
            "{p:?}: s {} {s}",
            at.s
        );
        for i in 0..3 {
            if p.phi[i] == f64::INFINITY {
                assert_eq!(at.lambda[i], 0.0);
                continue;
            }
            // (x₄ − x_i)ᵀ N e by polarisation.
            let r = sub(p.x, p.face[i]);
            let product =
                0.25 * (p.metric.squared_length(add(r, e)) - p.metric.squared_length(sub(r, e)));
            let slack = p.phi[i] + product / s - at.phi;
            assert!(slack > -1e-9 * scale_of, "{p:?}: {slack:e}");
            if at.lambda[i] > 1e-9 {
                assert!(slack.abs() < 1e-9 * scale_of, "{p:?}: {slack:e}");
            }
        }
    }
}

#[test]
fn order_of_the_face_does_not_matter() {
    for p in problems(5000, 3) {
        let first = arrival(&p.corner::<f64>());
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let other = arrival(&p.permuted(order).corner::<f64>());
            let tolerance = 1e-12 * (first.abs() + p.diameter()) / quality(&p).min(0.1);
            assert!((first - other).abs() < tolerance, "{p:?}: {first} {other}");
        }
    }
}

#[test]
fn single_precision_is_close() {
    for p in problems(5000, 4).into_iter().filter(|p| quality(p) > 0.05) {
        let (double, single) = (arrival(&p.corner::<f64>()), arrival(&p.corner::<f32>()));
        let error = (f64::from(single) - double).abs();
        assert!(
            error < 3e-5 * (p.diameter() + double.abs()),
            "{p:?}: {single} instead of {double}"
        );
    }
}

/// The regular case that a solver of others loses as 0/0: all three values equal.
#[test]
fn equal_values_keep_the_interior() {
    let p = Local {
        metric: Metric([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]),
        face: [[1.0, 0.0, 0.0], [-0.5, 0.8, 0.0], [-0.5, -0.9, 0.0]],
        x: [0.0, 0.0, 0.6],
        phi: [0.0; 3],
    };
    assert!((arrival(&p.corner::<f64>()) - 0.6).abs() < 1e-15);
    for phi in [-7.0, 3.0, 250.0] {
        let q = Local { phi: [phi; 3], ..p };
        assert!((arrival(&q.corner::<f64>()) - (phi + 0.6)).abs() < 1e-13);
    }
}

/// Feet on the vertices and edges of the face, exactly: a plane front whose ray passes there.
#[test]
fn feet_on_the_boundary_of_the_face() {
    let face = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    for foot in [[0.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.25]] {
        for slope in [[0.0, 0.0], [0.3, -0.2], [0.6, 0.6]] {
            let [gx, gy]: [f64; 2] = slope;
            let gz = (1.0 - gx * gx - gy * gy).sqrt();
            let p = Local {
                metric: Metric([1.0, 0.0, 0.0, 1.0, 0.0, 1.0]),
                face,
                x: [foot[0] + gx, foot[1] + gy, gz],
                phi: face.map(|y| gx * y[0] + gy * y[1]),
            };
            // |∇φ| = 1, so the plane front is the solution.
            let exact = gx * p.x[0] + gy * p.x[1] + gz * gz;
            let found = arrival(&p.corner::<f64>());
            assert!((found - exact).abs() < 1e-14, "{p:?}: {found} {exact}");
        }
    }
}

#[test]
fn nothing_arrives_from_a_face_not_reached() {
    for mut p in problems(10, 5) {
        p.phi = [f64::INFINITY; 3];
        assert_eq!(arrival(&p.corner::<f64>()), f64::INFINITY);
    }
}

/// Nearly flat tetrahedra: no NaN, and no more than rounding off the brute-force minimum.
#[test]
fn slivers() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for height in [1e-3, 1e-5, 1e-7, 1e-9, 0.0] {
        for _ in 0..200 {
            let face = [0; 3].map(|_| {
                let [x, y, _] = point(&mut rng);
                [x, y, 0.0]
            });
            let [x, y, _] = point(&mut rng);
            let p = Local {
                metric: metric(&mut rng, 3.0),
                face,
                x: [x, y, height],
                phi: [0; 3].map(|_| rng.random::<f64>()),
            };
            let area = cross(sub(face[1], face[0]), sub(face[2], face[0]))[2].abs();
            if area < 0.1 {
                continue;
            }
            let (found, expected) = (arrival(&p.corner::<f64>()), p.brute_force());
            let error = (found - expected).abs() / (p.diameter() + expected.abs());
            // The altitude itself is known to the root of the rounding of its square.
            assert!(error < 2e-6, "{p:?}: {found} instead of {expected}");
        }
    }
}

/// Faces that are nearly or quite a line: the minimum is on an edge or near one.
#[test]
fn needles() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for width in [1e-3, 1e-5, 1e-7, 1e-9, 0.0] {
        for _ in 0..200 {
            let (a, b) = (point(&mut rng), point(&mut rng));
            let t: f64 = rng.random_range(-0.5..1.5);
            let between = add(scale(t, a), scale(1.0 - t, b));
            let c = add(between, scale(width, point(&mut rng)));
            let p = Local {
                metric: metric(&mut rng, 3.0),
                face: [a, b, c],
                x: point(&mut rng),
                phi: [0; 3].map(|_| rng.random::<f64>()),
            };
            if p.corner::<f64>().l12 < 0.1 {
                continue;
            }
            let (found, expected) = (arrival(&p.corner::<f64>()), p.brute_force());
            let error = (found - expected).abs() / (p.diameter() + expected.abs());
            assert!(
                error < 1e-6,
                "{width:e} {p:?}: {found} instead of {expected}"
            );
        }
    }
}
