//! NVRTC and ptxas on all kernels, where they are installed (`scripts/setup.sh` puts them in .venv,
//! `scripts/environment.sh` says where: `ISOCHRONE_NVRTC` and `ISOCHRONE_PTXAS`).

use std::process::Command;

use isochrone::device::{Program, nvrtc, probe};
use isochrone::eikonal;
use isochrone::ionic::IonicModel;
use isochrone::ionic::aliev_panfilov::AlievPanfilov;
use isochrone::ionic::fenton_karma::FentonKarma;
use isochrone::ionic::mitchell_schaeffer::MitchellSchaeffer;
use isochrone::monodomain::on_device;

const ARCHITECTURES: [&str; 3] = ["sm_70", "sm_80", "sm_90"];

/// Kernels that run every step or iteration.
const HOT: [&str; 8] = [
    "march_plane",
    "march_plane_recorded",
    "march_solid",
    "step_uniform",
    "step_pairs",
    "resolve",
    "tangent",
    "adjoint",
];

fn programs() -> Vec<(&'static str, Program)> {
    type K<M, T, const G: usize> = <M as IonicModel<G>>::Kinetics<T>;
    vec![
        (
            "fk f32",
            on_device::program::<f32, K<FentonKarma, f32, 2>, 2>(),
        ),
        (
            "fk f64",
            on_device::program::<f64, K<FentonKarma, f64, 2>, 2>(),
        ),
        (
            "ms f32",
            on_device::program::<f32, K<MitchellSchaeffer, f32, 1>, 1>(),
        ),
        (
            "ap f64",
            on_device::program::<f64, K<AlievPanfilov, f64, 1>, 1>(),
        ),
        ("eikonal f32", eikonal::on_device::program::<f32>()),
        ("eikonal f64", eikonal::on_device::program::<f64>()),
    ]
}

/// Registers and spilled bytes of each kernel, from what `ptxas -v` prints.
fn usage(told: &str) -> Vec<(String, u32, u32)> {
    let number_before = |line: &str, unit: &str| -> Option<u32> {
        let before = &line[..line.find(unit)?];
        before.trim_end().rsplit([' ', ',']).next()?.parse().ok()
    };
    let (mut name, mut spilled, mut all) = (String::new(), 0, Vec::new());
    for line in told.lines() {
        if line.contains("Compiling entry function") {
            name = line.split('\'').nth(1).unwrap_or_default().to_string();
        } else if let Some(bytes) = number_before(line, "bytes spill stores") {
            spilled = bytes;
        } else if let Some(registers) = number_before(line, "registers") {
            all.push((std::mem::take(&mut name), registers, spilled));
        }
    }
    all.retain(|(name, ..)| !name.is_empty());
    all
}

#[test]
fn every_kernel_compiles_for_every_architecture_without_spills() {
    let ptxas = std::env::var("ISOCHRONE_PTXAS");
    let ready = match (probe::nvrtc_version(), &ptxas) {
        (Ok(_), Ok(ptxas)) => Ok(ptxas),
        (Err(reason), _) => Err(reason),
        (_, Err(_)) => Err("ISOCHRONE_PTXAS names no ptxas".to_string()),
    };
    let ptxas = match ready {
        Ok(ptxas) => ptxas,
        Err(reason) => {
            eprintln!("SKIPPED: kernels are not compiled for a GPU: {reason}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, program) in programs() {
        for architecture in ARCHITECTURES {
            let ptx = nvrtc::ptx(&program, architecture).unwrap();
            let file = folder.path().join("kernels.ptx");
            let text = ptx.strip_suffix(b"\0").unwrap_or(&ptx);
            std::fs::write(&file, text).unwrap();
            let output = Command::new(ptxas)
                .args(["-v", "-arch", architecture, "-o"])
                .arg(folder.path().join("kernels.cubin"))
                .arg(&file)
                .output()
                .unwrap();
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{name} {architecture}: {told}");
            let usage = usage(&told);
            assert_eq!(
                usage.len(),
                program.kernels.len(),
                "{name} {architecture}: {told}"
            );
            for kernel in HOT.iter().filter(|k| program.kernels.contains(k)) {
                let (_, registers, spilled) = usage.iter().find(|(n, ..)| n == kernel).unwrap();
                println!("{name} {architecture} {kernel}: {registers} registers");
                assert_eq!(*spilled, 0, "{name} {architecture} {kernel} spills");
            }
        }
    }
}

/// What was compiled is kept under the name of its source, architecture and version, complete or not
/// at all; what is damaged is compiled anew.
#[test]
fn compiled_kernels_are_kept() {
    let version = match probe::nvrtc_version() {
        Ok(version) => version,
        Err(reason) => {
            eprintln!("SKIPPED: no kernels to be kept: {reason}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("isochrone");
    let files = || -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(&cache).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let program = eikonal::on_device::program::<f64>();
    let compile = |architecture, version| {
        nvrtc::machine_code(&program, architecture, version, Some(&cache)).unwrap()
    };
    let code = compile("sm_80", version);
    let kept = files();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(std::fs::read(&kept[0]).unwrap(), code);
    // Read and not compiled: what is there comes back.
    let marked = [&code[..], b"mark"].concat();
    std::fs::write(&kept[0], &marked).unwrap();
    assert_eq!(compile("sm_80", version), marked);
    std::fs::write(&kept[0], b"half").unwrap();
    assert_eq!(compile("sm_80", version), code);
    assert_eq!(files().len(), 1);
    compile("sm_90", version);
    compile("sm_80", [version[0], version[1] + 1]);
    assert_eq!(
        files().len(),
        3,
        "one file for each architecture and version"
    );
}
