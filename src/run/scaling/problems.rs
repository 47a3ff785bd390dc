//! Runs of one command told apart by what they compute.

use std::collections::BTreeMap;

use super::reports::Run;
use super::study::{Kind, SAME_SIZE, kind, ratio};
use crate::config::Problem;
use crate::error::Result;

/// Runs of the same problem, problem by problem; says which runs became which. A problem that grows
/// keeps its settings, and is one; several of one size, or of sizes that cannot be compared, are each
/// their own. Runs that do not tell theirs are taken for one.
pub fn problems(command: &str, runs: Vec<Run>) -> Result<Vec<Vec<Run>>> {
    let mut by_settings: BTreeMap<Option<String>, Vec<Run>> = BTreeMap::new();
    for run in runs {
        let settings = run.problem.as_ref().map(|p| p.settings.clone());
        by_settings.entry(settings).or_default().push(run);
    }
    let mut problems: Vec<Vec<Run>> = Vec::new();
    for runs in by_settings.into_values() {
        match grows(command, &runs) {
            true => problems.push(runs),
            false => problems.extend(by_size(runs)),
        }
    }
    // In the order in which they were found.
    problems.sort_by(|a, b| a[0].path.cmp(&b[0].path));
    if problems.len() > 1 {
        tracing::warn!(
            "isochrone {command}: runs of {} problems, each compared by itself",
            problems.len()
        );
        for (i, runs) in problems.iter().enumerate() {
            let paths: Vec<String> = runs.iter().map(|r| r.path.display().to_string()).collect();
            tracing::warn!("problem {}: {}", i + 1, paths.join(", "));
        }
    }
    Ok(problems)
}

/// Whether runs with the same settings are one problem, of one size or of several.
fn grows(command: &str, runs: &[Run]) -> bool {
    let mut different = false;
    for (i, run) in runs.iter().enumerate() {
        for other in &runs[..i] {
            let same = size_of(run) == size_of(other);
            // Two meshes, by chance of as many tetrahedra.
            if !same && ratio(run.size, other.size) < SAME_SIZE {
                return false;
            }
            different |= !same;
        }
    }
    !different || kind(command, runs).is_ok_and(|kind| kind != Kind::Strong)
}

fn size_of(run: &Run) -> Option<&str> {
    let problem: Option<&Problem> = run.problem.as_ref();
    problem.map(|p| p.size.as_str())
}

fn by_size(runs: Vec<Run>) -> impl Iterator<Item = Vec<Run>> {
    let mut groups: BTreeMap<Option<String>, Vec<Run>> = BTreeMap::new();
    for run in runs {
        let size = size_of(&run).map(str::to_owned);
        groups.entry(size).or_default().push(run);
    }
    groups.into_values()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(path: &str, processors: u64, size: f64, problem: Option<[&str; 2]>) -> Run {
        Run {
            path: path.into(),
            command: "eikonal".into(),
            ranks: processors,
            threads: 1,
            device: "cpu".into(),
            hostname: "node".into(),
            problem: problem.map(|[settings, size]| Problem {
                settings: settings.into(),
                size: size.into(),
            }),
            size,
            timings: BTreeMap::new(),
            counters: BTreeMap::new(),
            peak_rss_bytes: 1,
        }
    }

    fn paths(runs: Vec<Run>) -> Vec<Vec<String>> {
        let problems = problems("eikonal", runs).unwrap();
        let path = |run: &Run| run.path.display().to_string();
        let of = |runs: &Vec<Run>| runs.iter().map(path).collect();
        problems.iter().map(of).collect()
    }

    #[test]
    fn settings_and_meshes_of_one_size_are_told_apart() {
        let runs = vec![
            run("a", 1, 100.0, Some(["s", "m"])),
            run("b", 2, 100.0, Some(["s", "m"])),
            run("c", 1, 100.0, Some(["t", "m"])),
            run("d", 2, 100.0, Some(["s", "n"])),
        ];
        assert_eq!(paths(runs), [vec!["a", "b"], vec!["c"], vec!["d"]]);
    }

    #[test]
    fn a_problem_that_grows_is_one() {
        let weak = vec![
            run("a", 1, 100.0, Some(["s", "m"])),
            run("b", 2, 200.0, Some(["s", "n"])),
            run("c", 4, 390.0, Some(["s", "o"])),
        ];
        assert_eq!(paths(weak), [["a", "b", "c"]]);
        let sizes = vec![
            run("a", 1, 100.0, Some(["s", "m"])),
            run("b", 1, 900.0, Some(["s", "n"])),
        ];
        assert_eq!(paths(sizes), [["a", "b"]]);
        // Two strong studies.
        let mixed = vec![
            run("a", 1, 100.0, Some(["s", "m"])),
            run("b", 4, 100.0, Some(["s", "m"])),
            run("c", 1, 900.0, Some(["s", "n"])),
            run("d", 4, 900.0, Some(["s", "n"])),
        ];
        assert_eq!(paths(mixed), [["a", "b"], ["c", "d"]]);
    }

    #[test]
    fn runs_that_do_not_tell_their_problem_are_one() {
        let runs = vec![run("a", 1, 100.0, None), run("b", 2, 100.0, None)];
        assert_eq!(paths(runs), [["a", "b"]]);
    }
}
