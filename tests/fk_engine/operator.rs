//! ∇·(D∇u) of the flux stencil against the analytic one: order 2 in space.

use std::f64::consts::TAU;

use isochrone::comm::solo::Solo;
use isochrone::monodomain::grid::Diffusivity;
use isochrone::monodomain::simulation::Values;

use crate::case::{Case, Way, grid, inert};

type Point = [f64; 3];

/// A full tensor xx xy xz yy yz zz of period 1, positive definite; D_xy, D_xz, D_yz vanish on the
/// faces of the unit cube where `closed`.
fn tensor([x, y, z]: Point, closed: bool) -> [f64; 6] {
    let wave = |a: f64, phase: f64| (TAU * a + phase).sin();
    let bump = |a: f64, b: f64| {
        if closed {
            (0.5 * TAU * a).sin() * (0.5 * TAU * b).sin()
        } else {
            wave(a, 0.3) * wave(b, 1.1)
        }
    };
    [
        1.0 + 0.3 * wave(x, 0.2) * wave(y, 0.9),
        0.35 * bump(x, y),
        0.2 * bump(x, z),
        0.9 + 0.2 * wave(y, 0.4) + 0.1 * wave(z, 0.0),
        -0.25 * bump(y, z),
        0.8 + 0.2 * wave(x + z, 0.5),
    ]
}

/// u and ∇u, of period 1; ∂u/∂n = 0 on the faces of the unit cube where `closed`.
fn potential([x, y, z]: Point, closed: bool, solid: bool) -> (f64, Point) {
    let f = |a: f64, phase: f64| {
        let (k, phase) = if closed {
            (0.5 * TAU, 0.0)
        } else {
            (TAU, phase)
        };
        ((k * a + phase).cos(), -k * (k * a + phase).sin())
    };
    let ((a, da), (b, db)) = (f(x, 0.2), f(y, 0.7));
    let (c, dc) = if solid { f(z, 1.0) } else { (1.0, 0.0) };
    (a * b * c, [da * b * c, a * db * c, a * b * dc])
}

/// ∇·(D∇u) by central differences of order 6 of the analytic flux, good to some 1e-11.
fn divergence(at: Point, closed: bool, solid: bool) -> f64 {
    let flux = |at: Point, axis: usize| {
        let [xx, xy, xz, yy, yz, zz] = tensor(at, closed);
        let d = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]];
        let gradient = potential(at, closed, solid).1;
        (0..3).map(|b| d[axis][b] * gradient[b]).sum::<f64>()
    };
    let h = 2e-3;
    let axes = if solid { 0..3 } else { 0..2 };
    axes.map(|axis| {
        let shifted = |by: f64| {
            let mut at = at;
            at[axis] += by * h;
            flux(at, axis)
        };
        let term = |(n, w): (f64, f64)| w * (shifted(n) - shifted(-n));
        [(1.0, 0.75), (2.0, -0.15), (3.0, 1.0 / 60.0)]
            .map(term)
            .iter()
            .sum::<f64>()
            / h
    })
    .sum()
}

/// Largest errors on the unit square or cube with n cells along each axis: everywhere, and an
/// eighth away from the edges.
fn errors(n: usize, closed: bool, solid: bool) -> [f64; 2] {
    let shape = [if solid { n } else { 1 }, n, n];
    let h = 1.0 / n as f64;
    let grid = grid(shape, h, shape.map(|n| n > 1 && !closed));
    let at = |c: usize| {
        let mut at = grid.centre(grid.place(c));
        if !solid {
            at[2] = 0.3;
        }
        at
    };
    let cells = grid.cells();
    let field = (0..cells).map(|c| tensor(at(c), closed)).collect();
    let mut case = Case::new(grid.clone(), Diffusivity::Tensor(field), 1e-2 * h * h);
    case.models = vec![inert()];
    let u: Vec<f64> = (0..cells)
        .map(|c| potential(at(c), closed, solid).0)
        .collect();
    case.initial = vec![u.clone()];
    let after = &case.after(1)[0];
    let mut errors = [0.0_f64; 2];
    for c in 0..cells {
        let error = ((after[c] - u[c]) / case.dt - divergence(at(c), closed, solid)).abs();
        errors[0] = errors[0].max(error);
        let place = grid.place(c);
        let inside = (0..3).all(|a| shape[a] == 1 || (n / 8..n - n / 8).contains(&place[a]));
        if inside {
            errors[1] = errors[1].max(error);
        }
    }
    errors
}

#[test]
fn variable_tensors_are_of_second_order() {
    for (solid, sizes) in [(false, [32, 64, 128]), (true, [16, 32, 64])] {
        for closed in [false, true] {
            let found = sizes.map(|n| errors(n, closed, solid));
            let order = |i: usize, k: usize| (found[i][k] / found[i + 1][k]).log2();
            println!(
                "solid {solid}, closed {closed}: errors {found:.1?}, order everywhere {:.2} {:.2}, inside {:.2} {:.2}",
                order(0, 0),
                order(1, 0),
                order(0, 1),
                order(1, 1)
            );
            // With closed edges, pointwise in the interior (at the edges D_ab → 0 here).
            let k = usize::from(closed);
            assert!((1.9..2.2).contains(&order(1, k)), "{found:?}");
        }
    }
}

/// A wave cos(k·x) in a uniform oblique D decays as exp(−k·Dk t): order 2 with Δt ~ Δx².
#[test]
fn waves_decay_as_they_should() {
    for solid in [false, true] {
        let d = [0.1, 0.05, 0.02, 0.08, -0.03, 0.06];
        let k = [TAU, 2.0 * TAU, if solid { -TAU } else { 0.0 }];
        let rate = d[0] * k[0] * k[0]
            + d[3] * k[1] * k[1]
            + d[5] * k[2] * k[2]
            + 2.0 * (d[1] * k[0] * k[1] + d[2] * k[0] * k[2] + d[4] * k[1] * k[2]);
        let time = 0.5 / rate;
        let error = |n: usize| {
            let shape = [if solid { n } else { 1 }, n, n];
            let grid = grid(shape, 1.0 / n as f64, shape.map(|n| n > 1));
            let steps = (n * n / 16) as u64;
            let mut case = Case::new(grid.clone(), Diffusivity::Uniform(d), time / steps as f64);
            case.models = vec![inert()];
            let wave: Vec<f64> = (0..grid.cells())
                .map(|c| {
                    let x = grid.centre(grid.place(c));
                    (k[0] * x[0] + k[1] * x[1] + k[2] * x[2]).cos()
                })
                .collect();
            case.initial = vec![wave.iter().map(|w| 0.5 + 0.4 * w).collect()];
            let after = &case.after(steps)[0];
            let pairs = after.iter().zip(&wave);
            pairs.fold(0.0_f64, |most, (u, w)| {
                most.max((u - 0.5 - 0.4 * w * (-rate * time).exp()).abs())
            })
        };
        let errors = if solid { [16, 32] } else { [32, 64] }.map(error);
        let order = (errors[0] / errors[1]).log2();
        println!("solid {solid}: errors {errors:?}, order {order:.2}");
        assert!((1.9..2.2).contains(&order), "{errors:?}");
    }
}

/// Cells of unequal edges: the operator on u = x² + 3 y² + 2 x y is exact in the interior.
#[test]
fn quadratics_are_exact_on_cells_of_unequal_edges() {
    let mut grid = grid([1, 12, 14], 0.0, [false; 3]);
    grid.spacing = [1.0, 0.3, 0.2];
    let d = [0.1, 0.04, 0.0, 0.07, 0.0, 1.0];
    let mut case = Case::new(grid.clone(), Diffusivity::Uniform(d), 1e-3);
    case.models = vec![inert()];
    let u: Vec<f64> = (0..grid.cells())
        .map(|c| {
            let [x, y, _] = grid.centre(grid.place(c));
            x * x + 3.0 * y * y + 2.0 * x * y
        })
        .collect();
    let simulation = case.build(&Solo, Way::plain()).unwrap();
    simulation.scatter(&Solo, 0, Some(&Values::F64(u.clone())));
    simulation.advance(&Solo, 0, 1);
    let after = simulation.gather(&Solo, 0).unwrap().to_f64();
    let exact = 2.0 * d[0] + 6.0 * d[3] + 2.0 * 2.0 * d[1];
    for c in 0..grid.cells() {
        let [_, y, x] = grid.place(c);
        if (1..11).contains(&y) && (1..13).contains(&x) {
            assert!(((after[c] - u[c]) / 1e-3 - exact).abs() < 1e-11);
        }
    }
}
