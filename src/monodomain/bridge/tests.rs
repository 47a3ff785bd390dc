use super::*;

fn grid(shape: [usize; 3], h: f64, dimensions: usize) -> Grid {
    Grid {
        shape,
        spacing: [h, 1.1 * h, 0.9 * h],
        origin: [-1.0, 2.0, 0.5],
        periodic: [false; 3],
        dimensions,
    }
}

fn times_of(grid: &Grid, time: impl Fn(Vec3) -> f64) -> Vec<f64> {
    (0..grid.cells())
        .map(|c| time(grid.centre(grid.place(c))))
        .collect()
}

fn affine_time([x, y, z]: Vec3) -> f64 {
    300.0 + 1.7 * x - 2.3 * y + 0.4 * z
}

/// Points all over the box of the grid, its faces and corners included.
fn points(grid: &Grid, per_axis: usize) -> Vec<Vec3> {
    let share = |i: usize| i as f64 / (per_axis - 1) as f64;
    let mut points = Vec::new();
    for i in 0..per_axis.pow(3) {
        let at = [
            i % per_axis,
            i / per_axis % per_axis,
            i / per_axis / per_axis,
        ];
        points.push(std::array::from_fn(|a| {
            grid.origin[a] + share(at[a]) * grid.shape[2 - a] as f64 * grid.spacing[2 - a]
        }));
    }
    points
}

#[test]
fn affine_times_are_exact_up_to_the_surface() {
    for (shape, dimensions) in [([7, 6, 8], 3), ([1, 9, 7], 2)] {
        let grid = grid(shape, 0.3, dimensions);
        let flat = dimensions == 2;
        let time = |[x, y, z]: Vec3| affine_time([x, y, if flat { 0.0 } else { z }]);
        let times = times_of(&grid, time);
        let points = points(&grid, 11);
        for (p, t) in points
            .iter()
            .zip(sample(&grid, None, &times, &points, f64::INFINITY))
        {
            assert!((t - time(*p)).abs() < 1e-11, "{p:?}: {t} {}", time(*p));
        }
    }
}

#[test]
fn affine_times_are_exact_beside_inactive_cells_and_cells_without_time() {
    let grid = grid([8, 8, 8], 0.25, 3);
    let mut times = times_of(&grid, affine_time);
    // A slanted surface; values beyond it must not be seen.
    let inside = |p: Vec3| p[0] + 0.6 * p[1] - 0.4 * p[2] < 0.9;
    let centre = |c: usize| grid.centre(grid.place(c));
    let active: Vec<bool> = (0..grid.cells()).map(|c| inside(centre(c))).collect();
    for (c, t) in times.iter_mut().enumerate() {
        if !active[c] {
            *t = 1e6;
        }
    }
    times[grid.cell([3, 3, 2])] = f64::NAN;
    times[grid.cell([1, 1, 1])] = f64::INFINITY;
    let points: Vec<_> = points(&grid, 9)
        .into_iter()
        .filter(|p| inside(*p))
        .collect();
    assert!(points.len() > 200);
    let sampled = sample(&grid, Some(&active), &times, &points, f64::INFINITY);
    let without = sampled.iter().filter(|t| t.is_infinite()).count();
    assert!((1..points.len() / 20).contains(&without), "{without}");
    for (p, t) in points.iter().zip(sampled).filter(|(_, t)| t.is_finite()) {
        assert!((t - affine_time(*p)).abs() < 1e-10, "{p:?}: {t}");
    }
}

#[test]
fn order_two_in_a_ball_up_to_its_surface() {
    let centre = [0.0, 3.0, 1.5];
    let away = |p: Vec3| -> f64 {
        (0..3)
            .map(|i| (p[i] - centre[i]).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    // Times of a point source outside the ball, in all directions different curvature.
    let time = |p: Vec3| ((p[0] + 3.0).powi(2) + 2.0 * p[1].powi(2) + 3.0 * p[2].powi(2)).sqrt();
    let error = |n: usize| {
        let mut grid = grid([n; 3], 2.4 / n as f64, 3);
        grid.origin = [-1.2, 1.6, 0.3];
        let times = times_of(&grid, time);
        let active: Vec<bool> = (0..grid.cells())
            .map(|c| away(grid.centre(grid.place(c))) < 1.0)
            .collect();
        let points: Vec<_> = points(&grid, 31)
            .into_iter()
            .filter(|p| away(*p) <= 1.0)
            .collect();
        let sampled = sample(&grid, Some(&active), &times, &points, f64::INFINITY);
        (points.iter().zip(sampled))
            .map(|(p, t)| (t - time(*p)).abs())
            .fold(0.0, f64::max)
    };
    let errors = [12, 24, 48].map(error);
    for pair in errors.windows(2) {
        assert!((pair[0] / pair[1]).log2() > 1.7, "{errors:?}");
    }
}

#[test]
fn nothing_is_invented_where_the_wave_never_came() {
    let grid = grid([6, 6, 20], 0.5, 3);
    let mut times = vec![f64::INFINITY; grid.cells()];
    for z in 0..6 {
        for y in 0..6 {
            times[grid.cell([z, y, 0])] = 7.0;
        }
    }
    let at = |x: usize| grid.centre([3, 3, x]);
    let far = [1e9, 0.0, 0.0];
    let points = [at(0), at(1), at(4), far, [f64::NAN; 3]];
    let sampled = sample(&grid, None, &times, &points, f64::INFINITY);
    assert!((sampled[0] - 7.0).abs() < 1e-12);
    assert!(
        sampled[1..].iter().all(|t| *t == f64::INFINITY),
        "{sampled:?}"
    );
}

#[test]
fn times_beside_a_block_stay_near_those_of_its_sides() {
    let grid = grid([6, 6, 12], 0.5, 3);
    // 200 ms later beyond a line of block; an early cell is missing at it.
    let mut times = times_of(&grid, |p| if p[0] < 1.0 { 10.0 } else { 210.0 });
    for (c, t) in times.iter_mut().enumerate() {
        if c % 7 == 0 {
            *t = f64::NAN;
        }
    }
    let points = points(&grid, 15);
    for t in sample(&grid, None, &times, &points, f64::INFINITY) {
        assert!(t == f64::INFINITY || (-90.0..=310.0).contains(&t), "{t}");
    }
}
