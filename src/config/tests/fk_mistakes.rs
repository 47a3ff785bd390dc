//! `[fk]`, `[checkpoint]`: keys and values that are refused, and what is said of it.

use super::*;

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
