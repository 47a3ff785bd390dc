//! `[fk]`: what may be written.

use super::*;
use crate::monodomain::options::{
    Boundaries, Boundary, DatasetOptions, DiffusivityOptions, InitialOptions, Parameters, Region,
    Side, Spacing, StencilKind, StimulusKind, Timing,
};

#[test]
fn a_simulation_needs_no_mesh_and_has_its_defaults() {
    let case = complete(&[]).unwrap();
    assert!(case.simulates() && case.mesh().is_err());
    let fk = case.fk().unwrap();
    assert_eq!(fk.model, "fenton-karma");
    assert_eq!(fk.precision, Precision::F32);
    assert_eq!(fk.step_count(), Some(1000));
    assert_eq!(fk.record.frames, ["u"]);
    assert_eq!(case.checkpoint.keep, 2);
    assert_eq!(fk.stimulus[0].kind, StimulusKind::Replace);
    assert_eq!(fk.stimulus[0].timing, Timing::Plain);
    let band = Region::Half {
        side: Side::West,
        coverage: 0.1,
        angle: 0.0,
    };
    assert_eq!(fk.stimulus[0].region, band);
}

#[test]
fn without_fk_there_is_no_simulation() {
    let case = load_text(CASE, &[]).unwrap();
    assert!(!case.simulates());
    let error = case.fk().unwrap_err();
    assert_eq!(error.exit_code(), 65);
    assert!(error.to_string().contains("fk.grid"), "{error}");
}

#[test]
fn the_resolved_configuration_of_an_eikonal_run_is_no_simulation() {
    let case = load_text(CASE, &[]).unwrap();
    let again = load_text(case.to_toml(), &[]).unwrap();
    assert!(!again.simulates(), "{}", case.to_toml());
}

/// The text of the interface contract's own check.
#[test]
fn the_contract_is_accepted() {
    let text = r#"[fk]
parameters = "3"
grid = { shape = [128, 128], spacing = 0.1 }
diffusivity = 0.1
stencil = "cardiax"
integrator = "euler"
precision = "f64"
dt = 0.01
steps = 1000
initial = { file = "/data/start.h5", group = "/fk" }
"#;
    let case = load_text(text, &[]).unwrap();
    let fk = case.fk().unwrap();
    assert_eq!(fk.parameters, Parameters::Named("3".into()));
    assert_eq!(fk.diffusivity, Some(DiffusivityOptions::Isotropic(0.1)));
    assert_eq!(fk.step_count(), Some(1000));
    let initial = InitialOptions::File {
        file: "/data/start.h5".into(),
        group: "/fk".into(),
    };
    assert_eq!(fk.initial, Some(initial));
}

#[test]
fn every_form_of_a_region_is_read() {
    let dataset = DatasetOptions {
        file: "/r.h5".into(),
        dataset: "/r".into(),
    };
    for (written, region) in [
        (
            "{ box = { low = [0, 1], high = [2, 3.5] } }",
            Region::Box {
                low: vec![0.0, 1.0],
                high: vec![2.0, 3.5],
            },
        ),
        (
            "{ box = [[0, 1], [2, 3.5]] }",
            Region::Box {
                low: vec![0.0, 1.0],
                high: vec![2.0, 3.5],
            },
        ),
        (
            "{ half = \"south\", coverage = 1, angle = -30 }",
            Region::Half {
                side: Side::South,
                coverage: 1.0,
                angle: -30.0,
            },
        ),
        (
            "{ sphere = { centre = [1, 2], radius = 3 } }",
            Region::Sphere {
                centre: vec![1.0, 2.0],
                radius: 3.0,
            },
        ),
        (
            "{ file = \"/r.h5\", dataset = \"/r\" }",
            Region::File(dataset),
        ),
        ("all", Region::All),
    ] {
        let case = complete(&[("fk.stimulus.0.region", written)]).unwrap();
        assert_eq!(case.fk().unwrap().stimulus[0].region, region, "{written}");
    }
}

#[test]
fn numbers_lists_and_tables_take_the_place_of_one_another() {
    let fk = |sets: &[(&str, &str)]| complete(sets).unwrap().fk().unwrap().clone();
    let three = Parameters::Named("3".into());
    assert_eq!(fk(&[("fk.parameters", "3")]).parameters, three);
    assert_eq!(
        fk(&[("fk.parameters", "1A")]).parameters,
        Parameters::Named("1A".into())
    );
    // Constants by name take the place of the set "3".
    let own = fk(&[
        ("fk.model", "mitchell-schaeffer"),
        ("fk.parameters.tau_in", "0.4"),
        ("fk.parameters.tau_out", "6"),
        ("fk.parameters.tau_open", "130"),
        ("fk.parameters.tau_close", "150"),
        ("fk.parameters.u_gate", "0.13"),
    ]);
    let constants = [
        ("tau_in", 0.4),
        ("tau_out", 6.0),
        ("tau_open", 130.0),
        ("tau_close", 150.0),
        ("u_gate", 0.13),
    ];
    let constants = constants.map(|(name, value)| (name.to_string(), value));
    assert_eq!(own.parameters, Parameters::Table(constants.into()));
    let start = fk(&[("fk.initial", "{ u = 0.5, w = 1 }")]).initial;
    let values = [("u".to_string(), 0.5), ("w".to_string(), 1.0)];
    assert_eq!(start, Some(InitialOptions::Values(values.into())));
    let start = fk(&[("fk.initial.u", "0.5"), ("fk.initial.file", "/s.h5")]).initial;
    let file = InitialOptions::File {
        file: "/s.h5".into(),
        group: "/fk".into(),
    };
    assert_eq!(start, Some(file));
    let steps = fk(&[("fk.steps", "12")]);
    assert_eq!((steps.duration, steps.step_count()), (None, Some(12)));
    let cell = rewritten("grid", "{ shape = [] }")
        .replace("{ half = \"west\", coverage = 0.1, angle = 0 }", "\"all\"");
    let cell = load_text(&cell, &[]).unwrap().fk().unwrap().grid.clone();
    assert_eq!(cell.unwrap().spacing(), Some(&Spacing::Same(1.0)));
    let edges = fk(&[("fk.boundary", "[\"periodic\", \"no-flux\"]")]).boundary;
    assert_eq!(edges.periodic(2), Some(vec![true, false]));
    let edges = fk(&[("fk.boundary", "periodic")]).boundary;
    assert_eq!(edges, Boundaries::Same(Boundary::Periodic));
    let bridge = fk(&[
        ("fk.record.activation_threshold", "0.5"),
        ("fk.bridge", "{ mesh = \"/m.vtu\" }"),
    ]);
    assert_eq!(bridge.bridge.unwrap().mesh, Some("/m.vtu".into()));
    assert_eq!(
        fk(&[("fk.stencil", "cardiax")]).stencil,
        StencilKind::Cardiax
    );
}

#[test]
fn several_lists_are_shown_one_after_the_other() {
    let case = load_text(FULL, &[]).unwrap();
    let text = case.to_toml();
    let at: Vec<usize> = [
        "[fk]",
        "[[fk.region]]",
        "[[fk.hole]]",
        "[[fk.stimulus]]",
        "[checkpoint]",
    ]
    .iter()
    .map(|header| text.find(header).unwrap())
    .collect();
    assert!(at.is_sorted(), "{text}");
    assert_eq!(text.matches("[[fk.region]]").count(), 2);
    assert_eq!(text.matches("[[fk.stimulus]]").count(), 2);
}
