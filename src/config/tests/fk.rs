//! `[fk]` and `[checkpoint]`: what may be written, and what is refused.

use super::*;
use crate::monodomain::options::{
    Boundary, DatasetOptions, DiffusivityOptions, InitialOptions, Parameters, Region, Side,
    Spacing, StencilKind, StimulusKind, Timing,
};

/// [`FK`] with the line of a key written anew.
fn rewritten(key: &str, value: &str) -> String {
    let start = format!("{key} = ");
    assert_eq!(
        FK.lines().filter(|line| line.starts_with(&start)).count(),
        1,
        "{key}"
    );
    let lines = FK.lines().map(|line| match line.starts_with(&start) {
        true => format!("{start}{value}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

/// The case of [`FK`] with these `--set`s, complete.
fn complete(sets: &[(&str, &str)]) -> Result<Case> {
    let case = load_text(FK, sets)?;
    case.fk()?;
    Ok(case)
}

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
    assert_eq!(
        edges,
        crate::monodomain::options::Boundaries::Same(Boundary::Periodic)
    );
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
fn unknown_keys_of_a_simulation_name_the_likeliest() {
    let said = message(&format!("{FK}[fk.record]\nframes_evry = 1\n"), &[]);
    assert!(
        said.contains("case.toml:13: fk.record.frames_evry: unknown key"),
        "{said}"
    );
    assert!(said.contains("`fk.record.frames_every`"), "{said}");
    for (key, likely) in [
        ("fk.stencl", "`fk.stencil`"),
        ("fk.stimulus.0.amplitud", "`fk.stimulus.0.amplitude`"),
        (
            "fk.stimulus.0.region.covrage",
            "`fk.stimulus.0.region.coverage`",
        ),
        (
            "fk.stimulus.0.region.box.lo",
            "`fk.stimulus.0.region.box.low`",
        ),
        ("fk.hole.0.spere", "`fk.hole.0.sphere`"),
        ("fk.regions", "`fk.region`"),
        ("fk.grid.shap", "`fk.grid.shape`"),
        ("checkpoint.every_minute", "`checkpoint.every_minutes`"),
        ("checkpoint.kep", "`checkpoint.keep`"),
        ("run.smd", "`run.simd`"),
    ] {
        let said = message(FK, &[(key, "1")]);
        assert!(
            said.contains(&format!("--set: {key}: unknown key")),
            "{said}"
        );
        assert!(said.contains(likely), "{key}: {said}");
    }
}

#[test]
fn wrong_types_of_a_simulation_name_what_was_expected() {
    for (key, value, expected) in [
        ("fk", "3", "a table of"),
        ("fk.dt", "0", "positive number"),
        ("fk.dt", "-0.1", "positive number"),
        ("fk.dt", "nan", "positive number"),
        ("fk.dt", "fast", "positive number"),
        ("fk.duration", "-1", "positive number"),
        ("fk.steps", "0", "at least 1"),
        ("fk.steps", "1.5", "whole number"),
        ("fk.diffusivity", "-0.1", "positive number"),
        ("fk.diffusivity", "nan", "positive number"),
        ("fk.diffusivity.fibre", "inf", "positive number"),
        ("fk.diffusivity", "{ fibre = 1 }", "fk.diffusivity.sheet"),
        ("fk.grid.shape", "[0, 4]", "item 0 is the integer 0"),
        ("fk.grid.shape", "[4.5]", "item 0"),
        ("fk.grid.spacing", "0", "positive number"),
        ("fk.grid.spacing", "[0.1, -1]", "item 1"),
        ("fk.grid", "3", "a table of shape"),
        ("fk.boundary", "open", "\"no-flux\" | \"periodic\""),
        ("fk.parameters", "1.5", "table of numbers by name"),
        ("fk.parameters.tau_d", "large", "a number"),
        ("fk.initial", "{ u = \"x\" }", "a number"),
        (
            "fk.mask",
            "{ file = \"m.h5\" }",
            "fk.mask.dataset: is missing",
        ),
        ("fk.stencil", "five-point", "\"cardiax\""),
        ("fk.integrator", "rk4", "\"rush-larsen\""),
        ("fk.tile", "[0, 1]", "at least 1"),
        ("fk.stimulus", "3", "[[fk.stimulus]]"),
        ("fk.stimulus.0.kind", "shock", "\"voltage\""),
        ("fk.stimulus.0.region", "none", "\"all\", or a table of box"),
        ("fk.stimulus.0.region.half", "left", "\"west\""),
        ("fk.stimulus.0.region", "{ box = [[0, 0]] }", "two corners"),
        (
            "fk.stimulus.0.region",
            "{ domains = [99999999999] }",
            "no number of a domain",
        ),
        ("fk.stimulus.0.count", "0", "at least 1"),
        ("fk.record.probes", "[1, 2]", "item 0 is the integer 1"),
        ("fk.record.electrodes", "[[1, 2]]", "three numbers"),
        ("fk.record.tip", "1", "true or false"),
        ("checkpoint.keep", "0", "at least 1"),
        ("checkpoint.every_ms", "0", "positive number"),
        ("run.simd", "sse", "\"avx512\""),
    ] {
        // The band is gone where another kind of region is given.
        let said = message(FK, &[(key, value)]);
        assert!(said.contains(expected), "{key} = {value}: {said}");
    }
    for (key, value, expected) in [
        ("region", "{}", "exactly one of `box`, `half`"),
        ("region", "{ half = \"west\" }", "coverage: is missing"),
        ("grid", "{}", "says no spacing"),
        ("grid", "{ shape = [4] }", "says no spacing"),
        ("grid", "{ mesh = \"a.h5\" }", "says no spacing"),
        (
            "grid",
            "{ voxels = \"a.h5\", spacing = 0.1 }",
            "both `fk.grid.voxels` and `fk.grid.spacing`",
        ),
    ] {
        let said = message(&rewritten(key, value), &[]);
        assert!(said.contains(expected), "{key} = {value}: {said}");
    }
}

#[test]
fn what_a_simulation_cannot_do_without_is_asked_for() {
    for (line, word) in [
        ("grid = { shape = [48, 64], spacing = 0.25 }\n", "fk.grid"),
        ("diffusivity = 0.1\n", "fk.diffusivity"),
        ("duration = 10\n", "fk.duration"),
    ] {
        let text = FK.replace(line, "");
        assert_ne!(text, FK);
        let case = load_text(&text, &[]).unwrap();
        let said = case.fk().unwrap_err().to_string();
        assert!(
            said.contains(word) && said.contains("no value given"),
            "{said}"
        );
    }
    // The mesh of [mesh] is voxelised: there has to be one.
    let text = rewritten("grid", "{ spacing = 0.3 }");
    let error = load_text(&text, &[]).unwrap().fk().unwrap_err();
    assert!(error.to_string().contains("[mesh]"), "{error}");
    let case = load_text(
        &text.replace("angle = 0", "angle = 9"),
        &[("mesh.file", "heart.h5")],
    );
    assert_eq!(
        case.unwrap()
            .fk()
            .unwrap()
            .grid
            .as_ref()
            .unwrap()
            .dimensions(),
        3
    );
}

#[test]
fn contradictions_of_a_simulation_are_errors() {
    // (sets, key that is named, what is said)
    type Contradiction = (
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    let cases: &[Contradiction] = &[
        (
            &[("fk.grid.shape", "[2, 2, 2, 2]")],
            "fk.grid.shape",
            "4 axes",
        ),
        (
            &[("fk.grid.shape", "[9999999999999, 9999999999]")],
            "fk.grid.shape",
            "more cells",
        ),
        (
            &[("fk.grid.spacing", "[1, 1, 1]")],
            "fk.grid.spacing",
            "3 values on a grid of 2 axes",
        ),
        (
            &[("fk.boundary", "[\"periodic\"]")],
            "fk.boundary",
            "1 values on a grid of 2",
        ),
        (&[("fk.tile", "[8, 8, 8]")], "fk.tile", "3 values"),
        (
            &[("fk.parameters", "")],
            "fk.parameters",
            "no published set \"\"",
        ),
        (
            &[("fk.region", "[{ region = \"all\" }]")],
            "fk.region.0",
            "changes nothing",
        ),
        (
            &[(
                "fk.region",
                "[{ region = { box = [[0], [1]] }, gamma = 2 }]",
            )],
            "fk.region.0.region.box",
            "1 values on a grid of 2",
        ),
        (
            &[("fk.hole", "[{ sphere = { centre = [1], radius = 1 } }]")],
            "fk.hole.0.sphere.centre",
            "1 values",
        ),
        (
            &[(
                "fk.stimulus.0.region",
                "{ box = { low = [2, 0], high = [1, 1] } }",
            )],
            "fk.stimulus.0.region.box",
            "is empty: 2 > 1",
        ),
        (
            &[(
                "fk.stimulus.0.region",
                "{ box = { low = [2, 0, 0], high = [3, 1] } }",
            )],
            "fk.stimulus.0.region.box.low",
            "3 values on a grid of 2",
        ),
        (
            &[("fk.stimulus.0.region.coverage", "1.01")],
            "fk.stimulus.0.region.coverage",
            "more than the whole",
        ),
        (
            &[("fk.stimulus.0.region.half", "top")],
            "fk.stimulus.0.region.half",
            "3 axes; this one has 2",
        ),
        (
            &[
                ("fk.grid.shape", "[64]"),
                ("fk.stimulus.0.region.angle", "5"),
            ],
            "fk.stimulus.0.region.angle",
            "turns in the x–y plane",
        ),
        (
            &[("fk.stimulus.0.region", "{ tags = [1] }")],
            "fk.stimulus.0.region",
            "part of a voxelised mesh",
        ),
        (
            &[(
                "fk.diffusivity",
                "{ fibre = 1, sheet = 1, normal = 1, direction = [1] }",
            )],
            "fk.diffusivity.direction",
            "1 values",
        ),
        (
            &[(
                "fk.diffusivity",
                "{ fibre = 1, sheet = 1, normal = 1, direction = [0, 0] }",
            )],
            "fk.diffusivity.direction",
            "no length",
        ),
        (
            &[("fk.stimulus.0.duration", "0")],
            "fk.stimulus.0.duration",
            "is 0",
        ),
        (
            &[("fk.stimulus.0.period", "1.5")],
            "fk.stimulus.0.period",
            "less than the duration",
        ),
        (
            &[("fk.stimulus.0.count", "3")],
            "fk.stimulus.0.count",
            "needs a period",
        ),
        (
            &[("fk.stimulus.0.timing", "seed")],
            "fk.stimulus.0.period",
            "is missing",
        ),
        (
            &[
                ("fk.stimulus.0.timing", "seed"),
                ("fk.stimulus.0.period", "100"),
                ("fk.stimulus.0.kind", "current"),
            ],
            "fk.stimulus.0.timing",
            "\"current\"",
        ),
        (
            &[
                ("fk.stimulus.0.timing", "seed"),
                ("fk.stimulus.0.period", "10.5"),
            ],
            "fk.stimulus.0.period",
            "counts steps",
        ),
        (
            &[
                ("fk.stimulus.0.timing", "seed"),
                ("fk.stimulus.0.period", "10"),
                ("fk.stimulus.0.count", "2"),
            ],
            "fk.stimulus.0.count",
            "not part",
        ),
        (
            &[
                ("fk.stimulus.0.timing", "seed"),
                ("fk.stimulus.0.period", "10"),
                ("fk.stimulus.0.amplitude", "0"),
            ],
            "fk.stimulus.0.amplitude",
            "no stimulus",
        ),
        (
            &[("fk.stencil", "cardiax"), ("fk.grid.shape", "[8, 8, 8]")],
            "fk.grid",
            "not of two axes",
        ),
        (
            &[
                ("fk.stencil", "cardiax"),
                ("fk.diffusivity", "{ fibre = 1, sheet = 1, normal = 1 }"),
            ],
            "fk.diffusivity",
            "tensor",
        ),
        (
            &[
                ("fk.stencil", "cardiax"),
                ("fk.mask", "{ file = \"m.h5\", dataset = \"/m\" }"),
            ],
            "fk.mask",
            "cardiax",
        ),
        (
            &[
                ("fk.stencil", "cardiax"),
                ("fk.hole", "[{ sphere = { centre = [1, 1], radius = 1 } }]"),
            ],
            "fk.hole",
            "cardiax",
        ),
        (
            &[
                ("fk.stencil", "cardiax"),
                ("fk.boundary", "[\"no-flux\", \"periodic\"]"),
            ],
            "fk.boundary",
            "periodic",
        ),
        (
            &[("fk.record.apd_level", "1")],
            "fk.record.apd_level",
            "does not pass",
        ),
        (
            &[("fk.record.compression", "10")],
            "fk.record.compression",
            "0 (none) to 9",
        ),
        (
            &[("fk.record.frames", "[\"u\", \"u\"]")],
            "fk.record.frames",
            "twice",
        ),
        (
            &[("fk.record.frames", "[]"), ("fk.record.frames_every", "1")],
            "fk.record.frames",
            "no variable",
        ),
        (
            &[("fk.grid.shape", "[64]"), ("fk.record.tip", "true")],
            "fk.record.tip",
            "two or three",
        ),
        (
            &[("fk.record.probes", "[[1, 2, 3]]")],
            "fk.record.probes",
            "probe 0 has 3",
        ),
        (
            // The grid is 64 cells wide and 48 high, of 0.25 mm.
            &[("fk.record.probes", "[[15.9, 1], [1, 12.1]]")],
            "fk.record.probes",
            "probe 1 is outside the grid: y = 12.1",
        ),
    ];
    for (sets, key, said) in cases {
        let text = message(FK, sets);
        assert!(text.contains(&format!(": {key}: ")), "{sets:?}: {text}");
        assert!(text.contains(said), "{sets:?}: {text}");
    }
    let both = message(&format!("{FK}[fk.grid]\n"), &[]);
    assert!(both.contains("line "), "{both}");
    let twice = FK.replace("duration = 10", "duration = 10\nsteps = 3");
    let said = message(&twice, &[]);
    assert!(
        said.contains("case.toml:7") && said.contains("`steps`"),
        "{said}"
    );
    let mixed = FK.replace("angle = 0", "sphere = { centre = [1, 1], radius = 1 }");
    let said = message(&mixed, &[]);
    assert!(
        said.contains("case.toml:10: fk.stimulus.0.region: both"),
        "{said}"
    );
    let said = message(&format!("{FK}[fk.stimulus]\nkind = \"voltage\"\n"), &[]);
    assert!(said.contains("case.toml: line "), "{said}");
    let single = FK.replace("[[fk.stimulus]]", "[fk.stimulus]");
    assert!(message(&single, &[]).contains("[[fk.stimulus]]"));
}

#[test]
fn models_sets_and_constants_are_those_of_the_list() {
    type Refused = (
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    const ALIEV: (&str, &str) = ("fk.model", "aliev-panfilov");
    let cases: &[Refused] = &[
        (
            &[("fk.model", "fenton-carma")],
            "fk.model",
            "no model \"fenton-carma\"; did you mean \"fenton-karma\"? known: fenton-karma, ",
        ),
        (
            &[("fk.parameters", "1a")],
            "fk.parameters",
            "no published set \"1a\"; did you mean \"1A\"?",
        ),
        (&[("fk.parameters", "11")], "fk.parameters", "known: 1A, 1B"),
        (
            &[ALIEV, ("fk.parameters", "3")],
            "fk.parameters",
            "known: default",
        ),
        (
            &[("fk.region", "[{ region = \"all\", parameters = \"4D\" }]")],
            "fk.region.0.parameters",
            "no published set \"4D\"",
        ),
        (
            &[("fk.parameters", "{ tau_dd = 1 }")],
            "fk.parameters",
            "no constant \"tau_dd\"; did you mean \"tau_d\"?",
        ),
        (
            &[("fk.parameters", "{ tau_d = 0.25 }")],
            "fk.parameters",
            "tau_v1_minus is missing",
        ),
        (
            &[(
                "fk.parameters",
                "{ tau_v_plus = 10, tau_v1_minus = 9, tau_v2_minus = 9, tau_d = -0.3, tau_0 = 9, \
                 tau_r = 190, u_c = 0.13 }",
            )],
            "fk.parameters",
            "tau_d = -0.3; tau_d must be a positive number",
        ),
        (
            &[
                ALIEV,
                ("fk.parameters", "default"),
                ("fk.integrator", "rush-larsen"),
            ],
            "fk.integrator",
            "the gates of aliev-panfilov are not linear in themselves; choose \"euler\"",
        ),
        (
            &[("fk.record.frames", "[\"u\", \"h\"]")],
            "fk.record.frames",
            "no variable of fenton-karma \"h\"; known: u, v, w",
        ),
        (
            &[
                ALIEV,
                ("fk.parameters", "default"),
                ("fk.initial", "{ u = 1, w = 1 }"),
            ],
            "fk.initial.w",
            "no variable of aliev-panfilov \"w\"; known: u, v",
        ),
    ];
    for (sets, key, said) in cases {
        let error = load_text(FK, sets).unwrap_err();
        assert_eq!(error.exit_code(), 65);
        let text = error.to_string();
        assert!(text.contains(&format!(": {key}: ")), "{sets:?}: {text}");
        assert!(text.contains(said), "{sets:?}: {text}");
    }
    for sets in [
        &[("fk.integrator", "rush-larsen")][..],
        &[("fk.record.frames", "[\"w\", \"u\"]")],
        &[("fk.parameters", "10")],
        &[
            ALIEV,
            ("fk.parameters", "default"),
            ("fk.integrator", "heun"),
        ],
    ] {
        complete(sets).unwrap();
    }
}

#[test]
fn errors_of_a_simulation_name_file_and_line() {
    let text = FK.replace("coverage = 0.1", "coverage = 1.5");
    let said = message(&text, &[]);
    assert!(
        said.contains("case.toml:10: fk.stimulus.0.region.coverage"),
        "{said}"
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

#[test]
fn a_level_that_this_machine_has_can_be_pinned() {
    use crate::simd::SimdLevel;
    // The level of the process is left as it is: other tests of it run beside this one.
    assert!(SimdChoice::Auto.pin().is_ok());
    let best = SimdLevel::best();
    if best != SimdLevel::Avx512 {
        let error = SimdChoice::Avx512.pin().unwrap_err();
        assert_eq!(error.exit_code(), 65);
        assert!(error.to_string().contains(best.name()), "{error}");
    }
}
