//! What the program says about devices.

use std::process::{Command, Output};

use isochrone::device::probe;

fn isochrone(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isochrone"));
    command.args(arguments).env_remove("ISOCHRONE_RUN__DEVICE");
    command.output().unwrap()
}

const SMALL: [&str; 4] = [
    "--set",
    "mesh.generate.edge=5",
    "--overwrite",
    "config/eikonal-left-ventricle.toml",
];

#[test]
fn info_lists_devices_or_says_why_there_is_none() {
    let output = isochrone(&["info"]);
    let text = String::from_utf8(output.stdout).unwrap();
    match probe::devices() {
        Ok(devices) => {
            let first = &devices[0];
            assert!(
                text.contains(&first.name) && text.contains("compute capability"),
                "{text}"
            );
        }
        Err(reason) => assert!(
            text.contains(&format!("no CUDA device: {reason}")),
            "{text}"
        ),
    }
}

#[test]
fn cuda_without_a_device_is_refused_and_auto_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out").display().to_string();
    let run = |device: &str| {
        let arguments = [
            &["eikonal", "--device", device, "--output", &output][..],
            &SMALL,
        ];
        let output = isochrone(&arguments.concat());
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, told) = run("auto");
    assert_eq!(code, Some(0), "{told}");
    if let Err(reason) = probe::devices() {
        let lines = told
            .lines()
            .filter(|line| line.contains("computing on the CPU"));
        assert_eq!(lines.count(), 1, "{told}");
        let (code, told) = run("cuda");
        assert_eq!(code, Some(65), "{told}");
        assert!(
            told.contains(&reason) && told.contains("choose auto or cpu"),
            "{told}"
        );
    }
    let (code, told) = run("cpu");
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("CUDA"), "{told}");
}
