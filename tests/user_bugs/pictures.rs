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
