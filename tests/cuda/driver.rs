//! The program on drivers that are too old, have no device, or whose device fails: libraries that
//! answer as such a driver would. What they have are the functions that the program asks for, and no
//! others: it calls no more than that.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use isochrone::device::probe::{self, DRIVER_FUNCTIONS};

/// What a driver answers; memory is that of the host, and kernels do nothing.
const ANSWERS: [(&str, &str); 21] = [
    ("cuDriverGetVersion", "(int *v) { *v = 12080; return 0; }"),
    ("cuDeviceGetCount", "(int *n) { *n = 1; return 0; }"),
    ("cuDeviceGet", "(int *d, int i) { *d = i; return 0; }"),
    (
        "cuDeviceGetName",
        "(char *s, int n, int d) { strncpy(s, \"Stub\", n); return 0; }",
    ),
    (
        "cuDeviceGetAttribute",
        "(int *v, int which, int d) { *v = which == 75 ? 9 : 0; return 0; }",
    ),
    (
        "cuDeviceTotalMem_v2",
        "(size_t *n, int d) { *n = 1ull << 33; return 0; }",
    ),
    (
        "cuDevicePrimaryCtxRetain",
        "(void **c, int d) { *c = (void *)8; return 0; }",
    ),
    (
        "cuMemGetInfo_v2",
        "(size_t *f, size_t *t) { *f = 1ull << 33; *t = 1ull << 33; return 0; }",
    ),
    (
        "cuMemAlloc_v2",
        "(size_t *p, size_t n) { *p = (size_t)malloc(n); return 0; }",
    ),
    ("cuMemFree_v2", "(size_t p) { free((void *)p); return 0; }"),
    (
        "cuMemHostAlloc",
        "(void **p, size_t n, unsigned f) { *p = malloc(n); return 0; }",
    ),
    ("cuMemFreeHost", "(void *p) { free(p); return 0; }"),
    (
        "cuMemsetD8Async",
        "(size_t p, unsigned char v, size_t n, void *s) { memset((void *)p, v, n); return 0; }",
    ),
    (
        "cuMemcpyHtoDAsync_v2",
        "(size_t to, const void *from, size_t n, void *s) { memcpy((void *)to, from, n); return 0; }",
    ),
    (
        "cuMemcpyDtoHAsync_v2",
        "(void *to, size_t from, size_t n, void *s) { memcpy(to, (void *)from, n); return 0; }",
    ),
    (
        "cuMemcpyDtoDAsync_v2",
        "(size_t to, size_t from, size_t n, void *s) { memmove((void *)to, (void *)from, n); return 0; }",
    ),
    (
        "cuStreamCreate",
        "(void **s, unsigned f) { *s = (void *)16; return 0; }",
    ),
    (
        "cuEventCreate",
        "(void **e, unsigned f) { *e = (void *)24; return 0; }",
    ),
    (
        "cuModuleLoadData",
        "(void **m, const void *i) { *m = (void *)32; return 0; }",
    ),
    (
        "cuModuleGetFunction",
        "(void **f, void *m, const char *n) { *f = (void *)40; return 0; }",
    ),
    (
        "cuGraphInstantiateWithFlags",
        "(void **e, void *g, unsigned long long f) { *e = (void *)48; return 0; }",
    ),
];

/// A driver of these functions, with some other `answers`, in a folder.
fn driver(functions: &[&str], answers: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut bodies: HashMap<&str, &str> = ANSWERS.into_iter().collect();
    bodies.extend(answers.iter().copied());
    let mut text = String::from("#include <stdlib.h>\n#include <string.h>\n");
    for function in functions {
        let body = bodies.get(function).copied().unwrap_or("() { return 0; }");
        text += &format!("int {function}{body}\n");
    }
    let source = folder.path().join("driver.c");
    std::fs::write(&source, text).unwrap();
    let output = Command::new("cc")
        .args(["-std=gnu11", "-w", "-shared", "-fPIC", "-o"])
        .arg(folder.path().join("libcuda.so"))
        .arg(&source)
        .output()
        .expect("a C compiler is needed for this test");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    folder
}

/// Exit code and all that the program prints, with that driver.
fn isochrone(driver: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isochrone"));
    let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders = vec![driver.to_owned()];
    folders.extend(std::env::split_paths(&path));
    let output = command
        .args(arguments)
        .env("LD_LIBRARY_PATH", std::env::join_paths(folders).unwrap())
        .env("XDG_CACHE_HOME", driver.join("cache"))
        .output()
        .unwrap();
    let text = [&output.stdout[..], &output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn drivers_that_will_not_do_are_named_and_no_panic() {
    let [init, version, count] = ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount"];
    for (functions, answer, told) in [
        (
            &[init][..],
            (init, "() { return 0; }"),
            "is too old: it has no cuDriverGetVersion",
        ),
        (
            DRIVER_FUNCTIONS,
            (init, "() { return 100; }"),
            "CUDA_ERROR_NO_DEVICE",
        ),
        (
            DRIVER_FUNCTIONS,
            (version, "(int *v) { *v = 11040; return 0; }"),
            "is for CUDA 11.4, 12.0 is needed",
        ),
        (
            DRIVER_FUNCTIONS,
            (count, "(int *n) { *n = 0; return 0; }"),
            "knows no device",
        ),
    ] {
        let driver = driver(functions, &[answer]);
        let (code, text) = isochrone(driver.path(), &["info"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(
            text.contains("no CUDA device") && text.contains(told),
            "{told}: {text}"
        );
        let run = [
            "eikonal",
            "config/eikonal-left-ventricle.toml",
            "--device",
            "cuda",
        ];
        let (code, text) = isochrone(driver.path(), &run);
        assert_eq!(code, Some(65), "{text}");
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn what_a_device_refuses_ends_a_run_in_order() {
    if let Err(reason) = probe::nvrtc_version() {
        eprintln!("SKIPPED: no kernels for a driver: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out").display().to_string();
    let common = ["--device", "cuda", "--overwrite", "--output", &output];
    let eikonal = [
        &["eikonal", "config/eikonal-left-ventricle.toml"][..],
        &["--set", "mesh.generate.edge=5"],
        &common,
    ]
    .concat();
    let fk = [
        &["fk", "config/fk-planar.toml", "--set", "fk.duration=14"][..],
        &common,
    ]
    .concat();
    for (function, body, code, told) in [
        (
            "cuMemGetInfo_v2",
            "(size_t *f, size_t *t) { *f = 1000; *t = 1000; return 0; }",
            65,
            "memory of the device Stub",
        ),
        (
            "cuMemAlloc_v2",
            "(size_t *p, size_t n) { return 2; }",
            65,
            "the next array needs",
        ),
        (
            "cuModuleLoadData",
            "(void **m, const void *i) { return 200; }",
            74,
            "load the kernels",
        ),
        (
            "cuStreamSynchronize",
            "(void *s) { return 700; }",
            74,
            "ILLEGAL_ADDRESS",
        ),
        ("cuLaunchKernel", "() { return 701; }", 74, "start a kernel"),
    ] {
        let driver = driver(DRIVER_FUNCTIONS, &[(function, body)]);
        for run in [&eikonal, &fk] {
            let (found, text) = isochrone(driver.path(), run);
            assert_eq!(found, Some(code), "{function}, {}: {text}", run[0]);
            assert!(text.contains(told), "{function}, {}: {text}", run[0]);
        }
    }
    // A device that does all and computes nothing: the run ends well.
    let driver = driver(DRIVER_FUNCTIONS, &[]);
    let (_, text) = isochrone(driver.path(), &["info"]);
    assert!(
        text.contains("cuda:0 Stub, compute capability 9.0, 8.0 GiB"),
        "{text}"
    );
    let (code, text) = isochrone(driver.path(), &fk);
    assert_eq!(code, Some(0), "{text}");
    let report = std::fs::read_to_string(Path::new(&output).join("report.json")).unwrap();
    assert!(report.contains("\"device\": \"cuda: Stub\""), "{report}");
    // Long enough for launches that are recorded.
    let case = folder.path().join("quiet.toml");
    let text = "[fk]\nparameters = \"3\"\ngrid = { shape = [64, 64], spacing = 0.25 }\n\
                diffusivity = 0.1\ndt = 0.02\nsteps = 3000\n";
    std::fs::write(&case, text).unwrap();
    let case = case.display().to_string();
    let quiet = [&["fk", &case][..], &common].concat();
    let (code, text) = isochrone(driver.path(), &quiet);
    assert_eq!(code, Some(0), "{text}");
    let refuses = [("cuGraphLaunch", "() { return 1; }")];
    let driver = self::driver(DRIVER_FUNCTIONS, &refuses);
    let (code, text) = isochrone(driver.path(), &quiet);
    assert_eq!(code, Some(74), "launches are not recorded: {text}");
    assert!(text.contains("replay launches"), "{text}");
}
