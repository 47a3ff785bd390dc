//! Signals to commands that keep no checkpoints.

use std::time::{Duration, Instant};

use super::command::{names, ranks, start};
use super::folder;

/// Stops a run once its log says `words`, and looks at what it leaves.
#[track_caller]
fn stopped(ranks: usize, signal: &str, arguments: &[&str]) {
    let folder = folder();
    let path = folder.path();
    let mut running = start(path, ranks, &[], arguments);
    let begun = Instant::now();
    // The folder is made once the program listens.
    while !path.join("out").exists() {
        assert!(!running.has_ended() && begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal(signal);
    let said = running.finish();
    let left = names(&path.join("out"));
    match said.code {
        75 => {
            let said = said.fails(75, &["stopped by signal", "nothing is kept", "run again"]);
            assert!(!said.stderr.contains("--resume"), "{}", said.stderr);
            let allowed = ["config.toml"];
            assert!(
                left.iter().all(|name| allowed.contains(&name.as_str())),
                "{left:?}"
            );
        }
        // The signal came while the result was written.
        0 => assert!(left.contains(&"report.json".to_string()), "{left:?}"),
        code => panic!("{code}: {}", said.stderr),
    }
    assert!(
        left.iter().all(|name| !name.ends_with(".partial")),
        "{left:?}"
    );
}

/// Was: SIGTERM and SIGINT killed `eikonal` and `gradient` wherever they were.
#[test]
fn a_signal_kills_a_forward_solution_where_it_is() {
    let edge = [
        "--set",
        "mesh.generate.edge=0.12",
        "--output",
        "out",
        "--threads",
        "1",
    ];
    for ranks in ranks() {
        for (command, signal) in [
            ("eikonal", "TERM"),
            ("eikonal", "INT"),
            ("gradient", "TERM"),
        ] {
            stopped(
                ranks,
                signal,
                &[&[command, "slab.toml"][..], &edge].concat(),
            );
        }
    }
    let simulated = ["eikonal", "slab.toml", "--simulate-ranks", "2,3,4,5"];
    stopped(1, "TERM", &[&simulated[..], &edge].concat());
}

/// Differences of a gradient take many forward solutions: the next one is not begun.
#[test]
fn a_signal_ends_the_check_of_a_gradient_between_two_solutions() {
    let folder = folder();
    let path = folder.path();
    let arguments = [
        "gradient",
        "slab.toml",
        "--check",
        "--set",
        "mesh.generate.edge=0.2",
        "--output",
        "out",
        "--threads",
        "1",
    ];
    let mut running = start(path, 1, &[], &arguments);
    while !path.join("out/config.toml").exists() {
        assert!(!running.has_ended());
        std::thread::sleep(Duration::from_millis(2));
    }
    running.terminate();
    running.finish().fails(75, &["stopped by signal"]);
    assert_eq!(names(&path.join("out")), ["config.toml"]);
}
