//! Cells of regions, counted by hand.

use super::*;
use crate::monodomain::options::Side;

fn grid(shape: [usize; 3], spacing: f64, dimensions: usize) -> Grid {
    Grid {
        shape,
        spacing: [spacing; 3],
        origin: [0.0; 3],
        periodic: [false; 3],
        dimensions,
    }
}

fn unread(_: &DatasetOptions) -> Result<(Vec<usize>, Vec<f64>)> {
    Err(Error::Bug("no dataset is read here".into()))
}

fn regions(grid: &Grid) -> Regions<'_> {
    Regions {
        grid,
        active: None,
        domains: None,
        tags: None,
        read: &unread,
    }
}

fn half(side: Side, coverage: f64, angle: f64) -> Region {
    Region::Half {
        side,
        coverage,
        angle,
    }
}

fn rectangle(low: &[f64], high: &[f64]) -> Region {
    Region::Box {
        low: low.to_vec(),
        high: high.to_vec(),
    }
}

#[test]
fn a_box_has_the_cells_with_their_centres_in_it() {
    let grid = grid([1, 4, 5], 0.5, 2);
    let cells = regions(&grid).cells("box", &rectangle(&[0.5, 1.0], &[1.5, 9.0]));
    // x centres 0.75 and 1.25, y centres 1.25 and 1.75.
    assert_eq!(cells.unwrap(), [11, 12, 16, 17]);
    // Centres on the border are in, whatever the rounding of 0.1 + 0.2.
    let fine = Grid {
        spacing: [0.1; 3],
        ..grid.clone()
    };
    let cells = regions(&fine).cells("box", &rectangle(&[0.15, 0.05], &[0.25, 0.05]));
    assert_eq!(cells.unwrap(), [1, 2]);
    // A mesh's grid does not start at 0.
    let moved = Grid {
        origin: [-10.0, -10.0, 3.0],
        ..grid
    };
    let cells = regions(&moved).cells("box", &rectangle(&[-10.0, -10.0], &[-9.6, -9.6]));
    assert_eq!(cells.unwrap(), [0]);
}

#[test]
fn a_ball_in_three_axes_is_counted_as_by_hand() {
    let grid = grid([5, 5, 5], 1.0, 3);
    let ball = |radius| Region::Sphere {
        centre: vec![2.5; 3],
        radius,
    };
    let count = |radius| regions(&grid).cells("ball", &ball(radius)).unwrap().len();
    // Lattice points within 1, √2, √3 and 2 of the origin.
    assert_eq!(
        [
            count(0.5),
            count(1.0),
            count(1.415),
            count(1.733),
            count(2.0)
        ],
        [1, 7, 19, 27, 33]
    );
}

#[test]
fn a_band_covers_its_fraction_and_turns_about_the_centre() {
    let square = grid([1, 20, 20], 0.3, 2);
    let cells = |region: &Region| regions(&square).cells("band", region).unwrap();
    let west = cells(&half(Side::West, 0.25, 0.0));
    assert_eq!(west.len(), 100);
    assert!(west.iter().all(|cell| cell % 20 < 5));
    assert_eq!(
        cells(&half(Side::South, 0.1, 0.0)),
        (360..400).collect::<Vec<_>>()
    );
    assert_eq!(cells(&half(Side::East, 1.0, 0.0)).len(), 400);
    // A quarter turn from x to y takes the west to the north, a half turn to the east.
    let north = cells(&half(Side::North, 0.25, 0.0));
    assert_eq!(cells(&half(Side::West, 0.25, 90.0)), north);
    let east = cells(&half(Side::East, 0.25, 0.0));
    assert_eq!(cells(&half(Side::West, 0.25, 180.0)), east);
    assert_eq!(cells(&half(Side::North, 0.25, -90.0)), west);
    // At 45° half the grid lies on either side of its diagonal.
    let diagonal = cells(&half(Side::West, 0.5, 45.0));
    assert!(diagonal.iter().all(|cell| cell % 20 + cell / 20 <= 19));
    assert_eq!(diagonal.len(), 210);
    let deep = grid([8, 3, 3], 1.0, 3);
    let bottom = regions(&deep).cells("band", &half(Side::Bottom, 0.25, 0.0));
    assert_eq!(bottom.unwrap(), (0..18).collect::<Vec<_>>());
}

#[test]
fn inactive_cells_are_in_no_region() {
    let grid = grid([1, 2, 3], 1.0, 2);
    let active = [true, false, true, false, false, true];
    let masked = Regions {
        active: Some(&active),
        ..regions(&grid)
    };
    assert_eq!(masked.cells("all", &Region::All).unwrap(), [0, 2, 5]);
    let hole = rectangle(&[1.0, 0.0], &[2.0, 1.0]);
    let error = masked.cells("fk.stimulus.0.region", &hole).unwrap_err();
    assert_eq!(error.exit_code(), 65);
    let text = error.to_string();
    assert!(
        text.contains("fk.stimulus.0.region") && text.contains("x 0 to 3"),
        "{text}"
    );
}

#[test]
fn regions_outside_the_grid_are_refused() {
    let grid = grid([1, 10, 10], 0.1, 2);
    for region in [
        rectangle(&[2.0, 0.0], &[3.0, 1.0]),
        rectangle(&[0.0, -2.0], &[1.0, -1.0]),
        Region::Sphere {
            centre: vec![5.0, 0.5],
            radius: 1.0,
        },
    ] {
        let text = regions(&grid).cells("s", &region).unwrap_err().to_string();
        assert!(
            text.contains("outside the grid") && text.contains("y 0 to 1 mm"),
            "{text}"
        );
    }
    // Between two centres.
    let thin = rectangle(&[0.06, 0.0], &[0.14, 1.0]);
    let text = regions(&grid).cells("s", &thin).unwrap_err().to_string();
    assert!(text.contains("no cell"), "{text}");
}

#[test]
fn datasets_have_the_shape_of_the_grid() {
    let grid = grid([1, 2, 3], 1.0, 2);
    let of = |shape: Vec<usize>, values: Vec<f64>| {
        let read = move |_: &DatasetOptions| Ok((shape.clone(), values.clone()));
        let regions = Regions {
            read: &read,
            ..regions(&grid)
        };
        let dataset = DatasetOptions {
            file: "mask.h5".into(),
            dataset: "/mask".into(),
        };
        regions.cells("fk.mask", &Region::File(dataset))
    };
    let mask = vec![0.0, 2.5, 0.0, -1.0, 0.0, 0.0];
    assert_eq!(of(vec![2, 3], mask.clone()).unwrap(), [1, 3]);
    let text = of(vec![3, 2], mask).unwrap_err().to_string();
    assert!(
        text.contains("[3, 2]") && text.contains("[2, 3]") && text.contains("/mask"),
        "{text}"
    );
    let text = of(vec![2, 3], vec![0.0, 1.0, 0.0, 0.0, f64::NAN, 0.0]).unwrap_err();
    assert!(text.to_string().contains("[0, 1, 1]"), "{text}");
    assert!(of(vec![2, 3], vec![0.0; 6]).is_err());
}

#[test]
fn labels_are_those_of_a_voxelised_mesh() {
    let grid = grid([1, 1, 4], 1.0, 3);
    let text = regions(&grid)
        .cells("r", &Region::Tags(vec![1]))
        .unwrap_err();
    assert!(text.to_string().contains("tags"), "{text}");
    let labelled = Regions {
        domains: Some(&[0, 1, 2, 1]),
        tags: Some(&[-1, -1, 7, 7]),
        ..regions(&grid)
    };
    assert_eq!(
        labelled.cells("r", &Region::Domains(vec![1, 0])).unwrap(),
        [0, 1, 3]
    );
    assert_eq!(labelled.cells("r", &Region::Tags(vec![7])).unwrap(), [2, 3]);
    let text = labelled
        .cells("r", &Region::Domains(vec![1, 5]))
        .unwrap_err();
    assert!(text.to_string().contains("domain 5"), "{text}");
}

#[test]
fn the_last_region_that_says_something_wins() {
    let grid = grid([1, 1, 4], 1.0, 1);
    let named = |name: &str| Parameters::Named(name.into());
    let part = |high: f64, parameters: Option<&str>, gamma| RegionParameters {
        region: rectangle(&[0.0], &[high]),
        parameters: parameters.map(named),
        gamma,
    };
    let parts = regions(&grid)
        .parts(
            &named("3"),
            &[
                part(3.0, Some("1A"), Some(0.5)),
                part(2.0, None, Some(0.1)),
                part(1.0, Some("3"), None),
            ],
        )
        .unwrap();
    assert_eq!(parts.sets, [named("3"), named("1A")]);
    assert_eq!(parts.set.unwrap(), [0, 1, 1, 0]);
    assert_eq!(parts.gamma.unwrap(), [0.1, 0.1, 0.5, 1.0]);
    let same = regions(&grid).parts(&named("3"), &[]).unwrap();
    assert_eq!((same.set, same.gamma), (None, None));
}
