//! `[fk]`: what does not go together, or is missing.

use super::*;

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
fn errors_of_a_simulation_name_file_and_line() {
    let text = FK.replace("coverage = 0.1", "coverage = 1.5");
    let said = message(&text, &[]);
    assert!(
        said.contains("case.toml:10: fk.stimulus.0.region.coverage"),
        "{said}"
    );
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
