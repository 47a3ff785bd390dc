//! A scaling study: runs of one command on different numbers of processors, compared.

use std::fmt::Write;

use super::reports::Run;
use crate::error::{Error, Result};

/// What varies beside the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The same case on all.
    Strong,
    /// A case that grows with the processors.
    Weak,
    /// Cases of several sizes on the same processors.
    Size,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Strong => "strong scaling",
            Self::Weak => "weak scaling",
            Self::Size => "sizes",
        }
    }
}

/// One pair of ranks and threads: the fastest of its runs.
#[derive(Debug, Clone)]
pub struct Point {
    pub run: Run,
    /// Seconds compared.
    pub seconds: f64,
    /// Work done each second over that of the base, (n/t)/(n₀/t₀).
    pub speed_up: f64,
    /// Speed-up over the processors of the base: speed-up p₀/p.
    pub efficiency: f64,
    /// Runs of the same ranks, threads and size.
    pub repeats: usize,
}

/// Points of one command, the base first.
#[derive(Debug, Clone)]
pub struct Study {
    pub command: String,
    pub kind: Kind,
    /// What is compared: "inversion", "solve + adjoint".
    pub timer: String,
    /// Which of how many problems of the command, where there are several.
    pub problem: Option<[usize; 2]>,
    pub points: Vec<Point>,
}

/// Timers of the work of a command without input, partition and output.
pub fn usual_timers(command: &str) -> &'static [&'static str] {
    match command {
        "fk" => &["step"],
        "invert" => &["inversion"],
        "gradient" => &["solve", "adjoint"],
        _ => &["solve"],
    }
}

/// Sizes and loads that differ by less are the same: meshes cannot be made of any number of
/// tetrahedra.
pub const SAME_SIZE: f64 = 1.001;
const SAME_LOAD: f64 = 1.35;

impl Study {
    /// The study of `runs`, all of one command, by `timer` or the usual ones.
    ///
    /// # Errors
    /// [`Error::BadFile`] where a run lacks the timer; [`Error::BadData`] where sizes and processors
    /// vary in no way that could be compared.
    pub fn of(command: &str, runs: Vec<Run>, timer: Option<&str>) -> Result<Self> {
        let chosen: Vec<&str> = match timer {
            Some(name) => vec![name],
            None => usual_timers(command).to_vec(),
        };
        let mut points: Vec<Point> = Vec::new();
        for run in runs {
            let Some(seconds) = run.seconds(&chosen).filter(|s| *s > 0.0) else {
                let timers: Vec<&str> = run.timings.keys().map(String::as_str).collect();
                let place = format!("timings_s.{}", chosen.join(", timings_s."));
                let remedy = format!(
                    "choose another --timer: the report has {}",
                    timers.join(", ")
                );
                return Err(Error::bad_file(
                    &run.path,
                    place,
                    "is missing or zero",
                    remedy,
                ));
            };
            let same = |p: &&mut Point| {
                (p.run.ranks, p.run.threads) == (run.ranks, run.threads)
                    && ratio(p.run.size, run.size) < SAME_SIZE
            };
            match points.iter_mut().find(same) {
                Some(point) => {
                    point.repeats += 1;
                    if seconds < point.seconds {
                        (point.run, point.seconds) = (run, seconds);
                    }
                }
                None => points.push(Point {
                    run,
                    seconds,
                    speed_up: 1.0,
                    efficiency: 1.0,
                    repeats: 1,
                }),
            }
        }
        let order = |p: &Point| (p.run.ranks * p.run.threads, p.run.ranks, p.run.size as u64);
        points.sort_by_key(order);
        let kind = kind(command, points.iter().map(|p| &p.run))?;
        let Some(base) = points.first().cloned() else {
            return Err(Error::Bug("a study without points".into()));
        };
        for point in &mut points {
            let rate = |p: &Point| p.run.size / p.seconds;
            point.speed_up = rate(point) / rate(&base);
            point.efficiency = point.speed_up * base.run.processors() / point.run.processors();
        }
        Ok(Self {
            command: command.into(),
            kind,
            timer: chosen.join(" + "),
            problem: None,
            points,
        })
    }

    /// Distinct numbers of threads (or of ranks), rising.
    pub fn distinct(&self, of: impl Fn(&Run) -> u64) -> Vec<u64> {
        let mut all: Vec<u64> = self.points.iter().map(|p| of(&p.run)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The table on the terminal.
    pub fn table(&self) -> String {
        let what = if self.command == "fk" {
            "cells"
        } else {
            "tetrahedra"
        };
        let problem =
            (self.problem).map_or(String::new(), |[i, of]| format!(", problem {i} of {of}"));
        let mut text = format!(
            "isochrone {}{problem}: {}, timer {}\n ranks threads {what:>12}    seconds  speed-up  efficiency         F  runs\n",
            self.command,
            self.kind.name(),
            self.timer
        );
        for p in &self.points {
            let factor = p.run.factor().map_or("-".into(), |f| format!("{f:.3}"));
            let _ = writeln!(
                text,
                "{:6} {:7} {:12} {:10.4} {:9.2} {:10.1}% {factor:>9} {:5}",
                p.run.ranks,
                p.run.threads,
                p.run.size,
                p.seconds,
                p.speed_up,
                100.0 * p.efficiency,
                p.repeats
            );
        }
        text
    }

    /// Rows of the CSV file.
    pub fn csv(&self) -> String {
        let mut text = String::new();
        for p in &self.points {
            let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
            let run = &p.run;
            let timer = |name: &str| number(run.timings.get(name).copied());
            let counter = |name: &str| number(run.counters.get(name).map(|n| *n as f64));
            let columns = [
                self.command.clone(),
                self.kind.name().into(),
                run.ranks.to_string(),
                run.threads.to_string(),
                run.size.to_string(),
                self.timer.clone(),
                p.seconds.to_string(),
                p.speed_up.to_string(),
                p.efficiency.to_string(),
                number(run.factor()),
                p.repeats.to_string(),
            ];
            let rest = TIMERS.map(timer).into_iter().chain(COUNTERS.map(counter));
            let last = [
                run.peak_rss_bytes.to_string(),
                quoted(&run.device),
                quoted(&run.hostname),
                quoted(&run.path.display().to_string()),
                self.problem.map_or(1, |[i, _]| i).to_string(),
            ];
            let all: Vec<String> = columns.into_iter().chain(rest).chain(last).collect();
            text += &(all.join(",") + "\n");
        }
        text
    }
}

const TIMERS: [&str; 9] = [
    "total",
    "setup",
    "partition",
    "solve",
    "adjoint",
    "tangent",
    "misfit",
    "step",
    "io",
];
const COUNTERS: [&str; 5] = [
    "local_solves",
    "cell_updates",
    "exchanges",
    "exchange_us",
    "bytes_sent",
];

/// The first row of the CSV file.
pub fn csv_header() -> String {
    let names = "command,kind,ranks,threads,size,timer,seconds,speed_up,efficiency,factor,runs";
    let timers = TIMERS.map(|name| format!("{name}_s")).join(",");
    let counters = COUNTERS.join(",");
    format!("{names},{timers},{counters},peak_rss_bytes,device,hostname,report,problem\n")
}

/// A text as CSV has it (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// The larger over the smaller.
pub fn ratio(a: f64, b: f64) -> f64 {
    (a / b).max(b / a)
}

fn spread(values: impl Iterator<Item = f64>) -> f64 {
    let [low, high] = crate::plot::axis::bounds(values);
    ratio(low, high)
}

/// What varies between `runs` of one command.
///
/// # Errors
/// [`Error::BadData`] where it is nothing that could be compared.
pub fn kind<'r>(command: &str, runs: impl IntoIterator<Item = &'r Run>) -> Result<Kind> {
    let runs: Vec<&Run> = runs.into_iter().collect();
    let spread = |of: fn(&Run) -> f64| spread(runs.iter().map(|run| of(run)));
    if spread(|run| run.size) < SAME_SIZE {
        Ok(Kind::Strong)
    } else if spread(|run| run.size / run.processors()) < SAME_LOAD {
        Ok(Kind::Weak)
    } else if spread(Run::processors) < SAME_SIZE {
        Ok(Kind::Size)
    } else {
        Err(Error::bad_data(
            format!("runs of isochrone {command}"),
            "have neither one size, nor sizes that grow with the processors, nor the same processors",
            "give the folders of one study at a time",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn run(ranks: u64, threads: u64, size: f64, seconds: f64) -> Run {
        let timings = [
            ("solve", seconds),
            ("adjoint", 0.1 * seconds),
            ("total", 2.0 * seconds),
        ];
        Run {
            path: format!("{ranks}x{threads}/report.json").into(),
            command: "eikonal".into(),
            ranks,
            threads,
            device: "cpu".into(),
            hostname: "node, 1".into(),
            problem: None,
            size,
            timings: timings
                .into_iter()
                .map(|(n, s)| (n.to_string(), s))
                .collect(),
            counters: BTreeMap::new(),
            peak_rss_bytes: 7,
        }
    }

    #[test]
    fn strong_scaling_compares_times() {
        let runs = vec![
            run(2, 2, 100.0, 3.0),
            run(1, 1, 100.0, 8.0),
            run(1, 1, 100.0, 9.0),
            run(2, 1, 100.0, 5.0),
        ];
        let study = Study::of("eikonal", runs, None).unwrap();
        assert_eq!(study.kind, Kind::Strong);
        let repeats: Vec<_> = study.points.iter().map(|p| p.repeats).collect();
        assert_eq!(repeats, [2, 1, 1]);
        for (point, [processors, speed_up, efficiency]) in (study.points.iter()).zip([
            [1.0, 1.0, 1.0],
            [2.0, 1.6, 0.8],
            [4.0, 8.0 / 3.0, 2.0 / 3.0],
        ]) {
            assert_eq!(point.run.processors(), processors);
            assert!((point.speed_up - speed_up).abs() < 1e-12);
            assert!((point.efficiency - efficiency).abs() < 1e-12);
        }
        assert!((study.points[0].run.factor().unwrap() - 1.1).abs() < 1e-12);
        let total = Study::of("eikonal", vec![run(1, 1, 1.0, 4.0)], Some("total")).unwrap();
        assert_eq!(total.points[0].seconds, 8.0);
        let csv = study.csv();
        assert!(
            csv.starts_with("eikonal,strong scaling,1,1,100,solve,8,1,1,1.1,2,16,,,8,"),
            "{csv}"
        );
        assert!(csv.contains("\"node, 1\""));
        let columns = |line: &str| line.replace("node, 1", "").matches(',').count();
        assert_eq!(columns(csv.lines().next().unwrap()), columns(&csv_header()));
        assert!(
            study
                .table()
                .contains("     2       1          100     5.0000      1.60       80.0%")
        );
    }

    #[test]
    fn weak_scaling_compares_work() {
        let runs = vec![
            run(1, 1, 100.0, 4.0),
            run(2, 1, 210.0, 5.0),
            run(4, 1, 390.0, 5.0),
        ];
        let study = Study::of("eikonal", runs, None).unwrap();
        assert_eq!(study.kind, Kind::Weak);
        // (210/5)/(100/4) = 1.68 on two processors.
        assert!((study.points[1].speed_up - 1.68).abs() < 1e-12);
        assert!((study.points[1].efficiency - 0.84).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let mixed = vec![
            run(1, 1, 100.0, 4.0),
            run(2, 1, 100.0, 2.0),
            run(2, 1, 900.0, 9.0),
        ];
        let said = Study::of("eikonal", mixed, None).unwrap_err();
        assert_eq!(said.exit_code(), 65);
        let said = Study::of("eikonal", vec![run(1, 1, 1.0, 1.0)], Some("step")).unwrap_err();
        assert_eq!(said.exit_code(), 65);
        for words in ["1x1/report.json", "timings_s.step", "solve"] {
            assert!(said.to_string().contains(words), "{said}");
        }
        let sizes = vec![run(1, 1, 100.0, 4.0), run(1, 1, 900.0, 30.0)];
        assert_eq!(Study::of("eikonal", sizes, None).unwrap().kind, Kind::Size);
    }
}
