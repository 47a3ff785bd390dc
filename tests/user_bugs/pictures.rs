//! `isochrone plot`: options that change nothing, planes beyond the mesh, the L-curve.

use std::fs;

use super::{folder, line, warnings};

/// Was: options without effect were passed over.
#[test]
fn options_without_effect_on_a_picture_are_silent() {
    let folder = folder();
    let path = folder.path();
    line(path, "invert slab.toml -q --output r", &[]).succeeds();
    let plot = |words: &str| {
        line(
            path,
            &format!("plot r/inversion.h5 --overwrite {words}"),
            &[],
        )
    };
    let both =
        plot("--pictures activation,convergence --cut z=1 --view top --view front").succeeds();
    assert!(warnings(&both).is_empty(), "{}", both.stderr);
    let of = |name: &str| {
        both.stdout
            .lines()
            .find(|l| l.contains(name))
            .unwrap()
            .to_owned()
    };
    assert!(
        !of("activation.png").contains("without effect"),
        "{}",
        both.stdout
    );
    assert!(
        of("convergence.png").ends_with("(without effect here: --view, --cut)"),
        "{}",
        both.stdout
    );
    let none = plot("--pictures convergence --isochrones 3 --speed 2").succeeds();
    let told = warnings(&none).join("\n");
    assert!(told.contains("--isochrones has no effect on any"), "{told}");
    assert!(told.contains("--speed has no effect on any"), "{told}");
    let groups = plot("--pictures domains --colours magma --range 0,1 --view top").succeeds();
    let told = warnings(&groups).join("\n");
    assert!(
        told.contains("--colours") && told.contains("--range") && !told.contains("--view"),
        "{told}"
    );
    // Four pictures in one have one view.
    let four = plot("--pictures gamma-iterations --view top --view front").succeeds();
    assert!(
        warnings(&four)[0].contains("--view (after the first)"),
        "{}",
        four.stderr
    );
}

/// Was: a plane beyond the mesh gave an empty picture, or a whole one.
#[test]
fn a_cut_beyond_the_mesh_is_drawn() {
    let folder = folder();
    let path = folder.path();
    line(path, "eikonal slab.toml -q --output r", &[]).succeeds();
    let cut = |plane: &str| {
        line(
            path,
            &format!("plot r/eikonal.h5 --output p --cut {plane}"),
            &[],
        )
    };
    for plane in ["z=-1", "z=3.5", "z=3", "z=0"] {
        cut(plane).fails(65, &["--cut z=", "z runs from 0.000 to 3.000 mm"]);
        assert!(!path.join("p").exists(), "{plane}");
    }
    cut("0,3,4=40").fails(
        65,
        &["--cut 0.000,0.600,0.800=40", "from 0.000 to 5.400 mm"],
    );
    cut("z=1.5").succeeds();
    // Of voxels, too.
    let heart = "[fk]\ngrid = { shape = [6, 8, 10], spacing = 0.5 }\ndiffusivity = 0.1\ndt = 0.02\nsteps = 5\n";
    fs::write(path.join("box.toml"), heart).unwrap();
    line(path, "fk box.toml -q --output f", &[]).succeeds();
    let cut = |plane: &str| {
        line(
            path,
            &format!("plot f/fk.h5 --overwrite --cut {plane}"),
            &[],
        )
    };
    // Centres of cells, which a plane takes away or leaves.
    cut("x=7").fails(65, &["--cut x=7", "x runs from 0.250 to 4.750 mm"]);
    cut("x=2").succeeds();
}

/// Was: the sweep over the weights of the penalties had no picture.
#[test]
fn the_l_curve_has_no_picture() {
    let folder = folder();
    let path = folder.path();
    let settings = [
        "inversion.twin={gamma=[0.5,1.5,1.0],noise_ms=0.5,seed=3}",
        "inversion.regularisation={tikhonov=1,choose=\"l-curve\",sweep={least=1e-2,most=1e4,steps=5}}",
        "inversion.stop={step=1e-6}",
    ];
    line(path, "invert slab.toml -q --output r", &settings).succeeds();
    let listed = line(path, "plot r --list", &[]).succeeds().stdout;
    assert!(listed.contains("* l-curve"), "{listed}");
    line(path, "plot r --pictures l-curve", &[]).succeeds();
    let picture = fs::read(path.join("r/inversion-l-curve.png")).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 5_000);
    // A result without a sweep has none.
    line(path, "invert slab.toml -q --output plain", &[]).succeeds();
    let listed = line(path, "plot plain --list", &[]).succeeds().stdout;
    assert!(!listed.contains("l-curve"), "{listed}");
}

/// Was: the restitution of a single cell had an empty diagram of velocities below that of durations.
#[test]
fn a_single_cell_has_a_diagram_of_velocities() {
    let folder = folder();
    let path = folder.path();
    let height = |name: &str, velocity: f64| {
        let file = hdf5::File::create(path.join(name)).unwrap();
        for (dataset, values) in [
            ("s2_interval", [300.0, 400.0]),
            ("diastolic_interval", [100.0, 200.0]),
            ("apd", [180.0, 200.0]),
            ("conduction_velocity", [velocity; 2]),
        ] {
            let dataset = format!("fk/restitution/{dataset}");
            let made = file.new_dataset_builder().with_data(&values);
            made.create(dataset.as_str()).unwrap();
        }
        drop(file);
        let stem = name.trim_end_matches(".h5");
        line(path, &format!("plot {name} --width 800"), &[]).succeeds();
        let png = fs::read(path.join(format!("{stem}-restitution.png"))).unwrap();
        u32::from_be_bytes(png[20..24].try_into().unwrap())
    };
    assert_eq!(height("cable.h5", 0.5), 700, "two diagrams");
    assert_eq!(height("cell.h5", f64::NAN), 500, "one");
}

/// Was: a picture black of isochrones, and one in a single colour, were drawn without a word.
#[test]
fn isochrones_and_ranges_that_hide_all_are_drawn() {
    let folder = folder();
    let path = folder.path();
    line(path, "eikonal slab.toml -q --output r", &[]).succeeds();
    let plot = |words: &str| {
        let plot = format!("plot r/eikonal.h5 --pictures activation --overwrite {words}");
        line(path, &plot, &[])
    };
    let run = plot("--isochrones 1e-9 --output p");
    run.fails(
        65,
        &["--isochrones", "lines from 0.000", "give a distance of"],
    );
    assert!(!path.join("p").exists());
    plot("--isochrones 0.1").succeeds();
    let said = plot("--range 500,600").succeeds();
    let told = warnings(&said).join("\n");
    assert!(
        told.contains("--range 500,600 holds none of the values"),
        "{told}"
    );
    assert!(warnings(&plot("--range 1,600").succeeds()).is_empty());
}

/// Was: a row at 0 of a table with a logarithmic axis was dropped, and its 0 stood beside the axis.
#[test]
fn a_row_at_0_of_a_logarithmic_table_is_dropped_silently() {
    let folder = folder();
    let path = folder.path();
    fs::write(
        path.join("t.csv"),
        "# logarithmic: x\nranks,seconds\n0,3\n1,4\n10,5\n",
    )
    .unwrap();
    let said = line(path, "plot t.csv", &[]).succeeds();
    let told = warnings(&said).join("\n");
    assert!(told.contains("not shown: ranks = 0,"), "{told}");
}
