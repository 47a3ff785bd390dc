//! What a run leaves behind about itself: timers, counters (`report.json`) and provenance.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::comm::Communicator;
use crate::error::{Error, Result};
use crate::sha256;

/// Version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Git commit of the build.
pub const COMMIT: &str = env!("ISOCHRONE_COMMIT");

/// Timers, counters and results of one run, gathered into `report.json`.
#[derive(Debug)]
pub struct Report {
    command: String,
    threads: usize,
    simd: &'static str,
    device: String,
    begun: Instant,
    date: String,
    shares: Figures,
    counters: BTreeMap<String, u64>,
    /// Counters that include those of earlier parts of a resumed run.
    of_all_parts: BTreeMap<String, u64>,
    before: Option<EarlierParts>,
    sizes: Map<String, Value>,
    result: Map<String, Value>,
    /// Of all ranks and parts, on rank 0 once gathered.
    whole: Option<Figures>,
}

/// Times, counters and memory: a rank's share, or those of a whole run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Seconds; the longest of all ranks is reported.
    timings_s: BTreeMap<String, f64>,
    /// Summed over ranks.
    counters: BTreeMap<String, u64>,
    /// The largest of all ranks is reported.
    peak_rss_bytes: u64,
}

/// The parts of a run before it was resumed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EarlierParts {
    /// How many there were.
    pub parts: u64,
    /// How many of them ended without telling their figures (killed).
    pub untold: u64,
    /// The figures of the others, together.
    pub figures: Figures,
}

impl Figures {
    /// One part after another.
    fn then(mut self, next: &Self) -> Self {
        for (name, seconds) in &next.timings_s {
            *self.timings_s.entry(name.clone()).or_default() += seconds;
        }
        for (name, n) in &next.counters {
            *self.counters.entry(name.clone()).or_default() += n;
        }
        self.peak_rss_bytes = self.peak_rss_bytes.max(next.peak_rss_bytes);
        self
    }
}

impl Report {
    /// Report of `command` with kernels of the SIMD level `simd`; the total time counts from here.
    pub fn new(command: &str, threads: usize, simd: &'static str) -> Self {
        Self {
            command: command.into(),
            threads,
            simd,
            device: "cpu".into(),
            begun: Instant::now(),
            date: utc(SystemTime::now()),
            shares: Figures::default(),
            counters: BTreeMap::new(),
            of_all_parts: BTreeMap::new(),
            before: None,
            sizes: Map::new(),
            result: Map::new(),
            whole: None,
        }
    }

    /// Says on what the run computes, if not on processors.
    pub fn device(&mut self, name: &str) {
        self.device = name.to_string();
    }

    /// On what the run computes.
    pub fn device_name(&self) -> &str {
        &self.device
    }

    /// Runs `work` and adds its time to the timer `name`.
    pub fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let value = work();
        self.add_time(name, begun.elapsed());
        value
    }

    /// Adds to the timer `name`: setup, partition, solve, tangent, adjoint, step, io.
    pub fn add_time(&mut self, name: &str, time: Duration) {
        *self.shares.timings_s.entry(name.into()).or_default() += time.as_secs_f64();
    }

    /// Adds this rank's share to the counter `name`; shares are summed over ranks.
    pub fn count(&mut self, name: &str, share: u64) {
        *self.shares.counters.entry(name.into()).or_default() += share;
    }

    /// Sets the counter `name` that all ranks share (rounds, evaluations): rank 0's value.
    pub fn count_once(&mut self, name: &str, value: u64) {
        self.counters.insert(name.into(), value);
    }

    /// The same of a counter that goes on from earlier parts of a resumed run.
    pub fn count_all_parts(&mut self, name: &str, value: u64) {
        self.of_all_parts.insert(name.into(), value);
    }

    /// Says that the run goes on from earlier parts, whose figures are added to its own. Rank 0's
    /// word counts.
    pub fn resumed(&mut self, before: EarlierParts) {
        self.before = Some(before);
    }

    /// Times and counters of all ranks and parts together, on rank 0 once gathered.
    pub fn whole(&self) -> Option<&Figures> {
        self.whole.as_ref()
    }

    /// What tells problems apart: see [`crate::config::Case::problem`].
    pub fn problem(&mut self, problem: impl Serialize) {
        self.sizes.insert("problem".into(), json!(problem));
    }

    /// Adds the time that `comm` took since it had taken `before` to the counter `exchange_us`.
    pub fn count_exchange(&mut self, comm: &dyn Communicator, before: Duration) {
        let time = comm.waited().saturating_sub(before);
        self.count("exchange_us", time.as_micros() as u64);
    }

    /// Size of the whole mesh.
    pub fn mesh(&mut self, points: usize, tetrahedra: usize) {
        let size = json!({ "points": points, "tetrahedra": tetrahedra });
        self.sizes.insert("mesh".into(), size);
    }

    /// Shape of the grid of a simulation and its cells in tissue.
    pub fn grid(&mut self, shape: &[usize], active_cells: u64) {
        let size = json!({ "shape": shape, "active_cells": active_cells });
        self.sizes.insert("grid".into(), size);
    }

    /// Adds `value` to the results.
    pub fn result(&mut self, name: &str, value: impl Into<Value>) {
        self.result.insert(name.into(), value.into());
    }

    /// Seconds since the run began.
    pub fn elapsed(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// The report of all ranks on rank 0, `None` on the others. Collective.
    pub fn gather(&mut self, comm: &dyn Communicator) -> Result<Option<Value>> {
        let total = self.begun.elapsed().as_secs_f64();
        self.shares.timings_s.insert("total".into(), total);
        self.shares.peak_rss_bytes = peak_rss_bytes();
        let bug = |e: serde_json::Error| Error::Bug(format!("report: {e}"));
        // An empty message says that this rank's share could not be written down.
        let share = serde_json::to_vec(&self.shares);
        let shares = comm.gather(0, share.as_deref().unwrap_or_default());
        share.map_err(bug)?;
        if comm.rank() != 0 {
            return Ok(None);
        }
        let mut all = Figures::default();
        for bytes in shares {
            let share: Figures = serde_json::from_slice(&bytes).map_err(bug)?;
            for (name, seconds) in share.timings_s {
                let longest = all.timings_s.entry(name).or_default();
                *longest = longest.max(seconds);
            }
            for (name, n) in share.counters {
                *all.counters.entry(name).or_default() += n;
            }
            all.peak_rss_bytes = all.peak_rss_bytes.max(share.peak_rss_bytes);
        }
        all.counters.extend(self.counters.clone());
        let mut resumed = None;
        if let Some(before) = &self.before {
            resumed = Some(json!({
                "parts": before.parts + 1,
                "parts_untold": before.untold,
                "last_part": { "timings_s": all.timings_s, "counters": all.counters },
            }));
            all = before.figures.clone().then(&all);
        }
        self.whole = Some(all.clone());
        all.counters.extend(self.of_all_parts.clone());
        let mut report = Map::new();
        report.insert("command".into(), json!(self.command));
        report.insert("version".into(), json!(VERSION));
        report.insert("commit".into(), json!(COMMIT));
        report.insert("date".into(), json!(self.date));
        report.insert("hostname".into(), json!(hostname()));
        report.insert("ranks".into(), json!(comm.size()));
        report.insert("threads".into(), json!(self.threads));
        report.insert("device".into(), json!(self.device));
        report.insert("simd".into(), json!(self.simd));
        report.extend(self.sizes.clone());
        report.insert("timings_s".into(), json!(all.timings_s));
        report.insert("counters".into(), json!(all.counters));
        report.insert("peak_rss_bytes".into(), json!(all.peak_rss_bytes));
        if let Some(resumed) = resumed {
            report.insert("resumed".into(), resumed);
        }
        report.insert("result".into(), Value::Object(self.result.clone()));
        Ok(Some(Value::Object(report)))
    }
}

/// Attribute with a line per input: its SHA-256, two spaces, its path.
const INPUTS: &str = "inputs_sha256";

/// What made a file: names and values that become its root attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    pub texts: Vec<(String, String)>,
    pub numbers: Vec<(String, u64)>,
}

impl Provenance {
    /// SHA-256 of the inputs.
    pub fn input_hashes(&self) -> Vec<String> {
        let texts = self.texts.iter().filter(|(name, _)| name == INPUTS);
        let lines = texts.flat_map(|(_, text)| text.lines());
        let hash = |line: &str| line.split("  ").next().map(str::to_owned);
        lines.filter_map(hash).collect()
    }

    /// Provenance of a run of `configuration` (resolved, TOML) with the given input files.
    /// `simd` is the SIMD level of the kernels, `libraries` are names and versions. Reads the inputs to hash them.
    ///
    /// # Errors
    /// [`Error::MissingInput`] or [`Error::Io`] where an input file cannot be read.
    pub fn new(
        ranks: usize,
        threads: usize,
        device: &str,
        simd: &str,
        configuration: &str,
        libraries: &[(String, String)],
        inputs: &[PathBuf],
    ) -> Result<Self> {
        let arguments: Vec<_> = std::env::args_os()
            .map(|a| a.to_string_lossy().into_owned())
            .collect();
        let libraries: Vec<_> = libraries.iter().map(|(n, v)| format!("{n} {v}")).collect();
        let mut hashes = Vec::new();
        for path in inputs {
            hashes.push(format!("{}  {}", sha256::of_file(path)?, path.display()));
        }
        Ok(Self {
            texts: [
                ("program", "isochrone".to_string()),
                ("version", VERSION.to_string()),
                ("commit", COMMIT.to_string()),
                ("date", utc(SystemTime::now())),
                ("command_line", arguments.join(" ")),
                ("configuration", configuration.to_string()),
                ("device", device.to_string()),
                ("simd", simd.to_string()),
                ("libraries", libraries.join(", ")),
                (INPUTS, hashes.join("\n")),
            ]
            .map(|(name, value)| (name.to_string(), value))
            .to_vec(),
            numbers: [("ranks", ranks), ("threads", threads)]
                .map(|(name, value)| (name.to_string(), value as u64))
                .to_vec(),
        })
    }
}

/// Name of this machine.
pub fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map_or_else(|| "unknown".into(), |name| name.trim().to_string())
}

/// Largest resident set of this process so far; 0 where the system does not tell.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    1024 * kib.unwrap_or(0)
}

/// "2026-01-31T12:00:00.123Z" (RFC 3339).
pub fn utc_milliseconds(time: SystemTime) -> String {
    let of_second = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.subsec_millis());
    format!("{}.{of_second:03}Z", utc(time).trim_end_matches('Z'))
}

/// "2026-01-31T12:00:00Z" (RFC 3339).
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from 1 March 0000, so that the leap day ends a year.
    // H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::threads;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // Seconds from `date -u -d … +%s`.
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
        let later = UNIX_EPOCH + Duration::from_millis(951_782_400_007);
        assert_eq!(utc_milliseconds(later), "2000-02-29T00:00:00.007Z");
    }

    #[test]
    fn ranks_share_one_report() {
        let reports = threads::run(3, |comm| {
            let mut report = Report::new("eikonal", 2, "avx2");
            report.mesh(5, 2);
            report.count("local_solves", 10 + comm.rank() as u64);
            report.count_once("exchanges", 4);
            report.add_time(
                "solve",
                Duration::from_millis(100 * (3 - comm.rank() as u64)),
            );
            report.result("misfit", 0.5);
            report.gather(comm).unwrap()
        });
        assert!(reports[1].is_none() && reports[2].is_none());
        let report = reports[0].as_ref().unwrap();
        assert_eq!(report["counters"]["local_solves"], 33);
        assert_eq!(report["counters"]["exchanges"], 4);
        assert_eq!(report["timings_s"]["solve"], 0.3);
        assert_eq!(report["mesh"]["tetrahedra"], 2);
        assert_eq!(report["ranks"], 3);
        assert_eq!(report["threads"], 2);
        assert_eq!(report["simd"], "avx2");
        assert_eq!(report["result"]["misfit"], 0.5);
        assert!(report["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    }

    #[test]
    fn a_resumed_run_reports_all_of_its_parts() {
        let part = |seconds: u64, solves: u64, before: Option<EarlierParts>| {
            let mut report = Report::new("invert", 1, "avx2");
            report.add_time("solve", Duration::from_secs(seconds));
            report.count("local_solves", solves);
            report.count_once("exchanges", 2);
            report.count_all_parts("evaluations", 10 * seconds);
            if let Some(before) = before {
                report.resumed(before);
            }
            let told = report.gather(&crate::comm::solo::Solo).unwrap().unwrap();
            (told, report.whole().unwrap().clone())
        };
        let (first, figures) = part(3, 30, None);
        assert!(first["resumed"].is_null());
        assert_eq!(first["counters"]["evaluations"], 30);
        let before = EarlierParts {
            parts: 2,
            untold: 1,
            figures,
        };
        let (whole, figures) = part(4, 40, Some(before));
        assert_eq!(whole["timings_s"]["solve"], 7.0);
        assert_eq!(whole["counters"]["local_solves"], 70);
        assert_eq!(whole["counters"]["exchanges"], 4);
        // The optimiser has counted on by itself.
        assert_eq!(whole["counters"]["evaluations"], 40);
        assert_eq!(whole["resumed"]["parts"], 3);
        assert_eq!(whole["resumed"]["parts_untold"], 1);
        let last = &whole["resumed"]["last_part"];
        assert_eq!(last["timings_s"]["solve"], 4.0);
        assert_eq!(last["counters"]["local_solves"], 40);
        assert_eq!(figures.timings_s["solve"], 7.0);
        assert!(!figures.counters.contains_key("evaluations"));
    }

    #[test]
    fn provenance_names_inputs_by_hash() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let inputs = [file.path().to_owned()];
        let libraries = [("HDF5".to_string(), "1.10.8".to_string())];
        let made = Provenance::new(2, 3, "cpu", "avx2", "[mesh]\n", &libraries, &inputs).unwrap();
        let value = |name: &str| {
            let mut all = made.texts.iter();
            all.find(|(n, _)| n == name).unwrap().1.clone()
        };
        assert!(value("inputs_sha256").starts_with("ba7816bf"));
        assert_eq!(value("simd"), "avx2");
        assert_eq!(value("libraries"), "HDF5 1.10.8");
        assert_eq!(value("configuration"), "[mesh]\n");
        let numbers = [("ranks".to_string(), 2), ("threads".to_string(), 3)];
        assert_eq!(made.numbers, numbers);
    }
}
