//! What is said on the way: the log on standard error, and progress.
//!
//! Rank 0 speaks for all; the others only under `-v`, and when they fail.

use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::error::Error;
use crate::report::utc_milliseconds;

/// The bars now on the terminal; log lines are written above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Seconds between two lines of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Who speaks, how much and in which form.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// Whether this rank speaks at all (errors aside).
    pub speaks: bool,
    pub verbose: u8,
    pub quiet: bool,
    pub json: bool,
}

impl Console {
    /// The console of `rank`.
    pub fn new(rank: usize, verbose: u8, quiet: bool, json: bool) -> Self {
        Self {
            speaks: rank == 0 || verbose > 0,
            verbose,
            quiet,
            json,
        }
    }

    /// Starts the log, once per process.
    pub fn start_log(&self) {
        let level = match (self.speaks, self.quiet, self.verbose) {
            (false, _, _) => LevelFilter::OFF,
            (true, true, _) => LevelFilter::ERROR,
            (true, false, 0) => LevelFilter::INFO,
            (true, false, 1) => LevelFilter::DEBUG,
            (true, false, _) => LevelFilter::TRACE,
        };
        let log = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_target(false)
            .with_writer(AboveBars)
            .with_ansi(std::io::stderr().is_terminal());
        // The log of a process can be set once; a second start keeps the first.
        let _ = if self.json {
            log.json()
                .flatten_event(true)
                .with_span_list(false)
                .with_timer(Date)
                .try_init()
        } else {
            log.with_timer(Uptime(Instant::now())).try_init()
        };
    }

    /// Shows the one error that ends the run.
    pub fn show_error(&self, error: &Error) {
        let text = match error {
            // What all ranks have in common, rank 0 finds: that it was this rank says nothing.
            Error::Rank {
                rank: 0, message, ..
            } => message.clone(),
            _ => error.to_string(),
        };
        let line = if self.json {
            serde_json::json!({
                "timestamp": utc_milliseconds(SystemTime::now()),
                "level": "ERROR",
                "message": text,
                "exit_code": error.exit_code(),
            })
            .to_string()
        } else {
            format!("error: {text}")
        };
        // With standard error closed there is nobody to tell.
        let _ = BARS.suspend(|| writeln!(std::io::stderr(), "{line}"));
    }
}

/// Times of log lines as dates, for programs.
struct Date;

impl FormatTime for Date {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{}", utc_milliseconds(SystemTime::now()))
    }
}

/// Times of log lines in seconds since the start.
struct Uptime(Instant);

impl FormatTime for Uptime {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{:9.3}s", self.0.elapsed().as_secs_f64())
    }
}

/// Standard error, with the bars out of the way.
struct AboveBars;

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for AboveBars {
    /// Never fails: a run does not end because its log cannot be written (a full disk, a terminal
    /// that is gone), and of an error `tracing` would tell on standard error again, by a panic.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = BARS.suspend(|| std::io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = std::io::stderr().flush();
        Ok(())
    }
}

/// Progress of one long task: a bar on a terminal, else a line every few seconds.
pub struct Progress {
    label: String,
    total: u64,
    begun: Instant,
    said: Instant,
    form: Form,
}

enum Form {
    Silent,
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Progress of `label` over `total` steps, shown by rank 0.
    pub fn start(console: &Console, rank: usize, label: &str, total: u64) -> Self {
        let form = if console.quiet || rank != 0 {
            Form::Silent
        } else if std::io::stderr().is_terminal() && !console.json {
            let bar = BARS.add(ProgressBar::new(total));
            let style = "{msg} {wide_bar} {percent:>3} % {elapsed} (left {eta})";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.set_message(label.to_string());
            Form::Bar(bar)
        } else {
            Form::Lines
        };
        let now = Instant::now();
        Self {
            label: label.to_string(),
            total,
            begun: now,
            said: now,
            form,
        }
    }

    /// `done` steps of the total are done; `detail` is said beside ("misfit 0.3").
    pub fn set(&mut self, done: u64, detail: &str) {
        match &self.form {
            Form::Silent => {}
            Form::Bar(bar) => {
                bar.set_position(done);
                if !detail.is_empty() {
                    bar.set_message(format!("{}, {detail}", self.label));
                }
            }
            Form::Lines => {
                if self.said.elapsed() >= LINE_EVERY {
                    self.said = Instant::now();
                    let line = line(&self.label, done, self.total, self.begun.elapsed(), detail);
                    tracing::info!("{line}");
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

/// "forward: 40 %, about 12 s left, misfit 0.3".
fn line(label: &str, done: u64, total: u64, elapsed: Duration, detail: &str) -> String {
    let share = done as f64 / total.max(1) as f64;
    let mut line = format!("{label}: {:.0} %", 100.0 * share);
    if share > 0.0 && share < 1.0 {
        let left = elapsed.as_secs_f64() * (1.0 - share) / share;
        line += &format!(", about {} left", duration(left));
    }
    if !detail.is_empty() {
        line += &format!(", {detail}");
    }
    line
}

fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..=99 => format!("{s} s"),
        100..=5999 => format!("{} min", (s + 30) / 60),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_estimates_the_rest() {
        let thirty = Duration::from_secs(30);
        assert_eq!(line("fit", 1, 4, thirty, ""), "fit: 25 %, about 90 s left");
        assert_eq!(line("fit", 4, 4, thirty, "f 0.1"), "fit: 100 %, f 0.1");
        assert_eq!(line("fit", 0, 0, thirty, ""), "fit: 0 %");
        assert_eq!(duration(100.0), "2 min");
        assert_eq!(duration(9000.0), "2.5 h");
    }
}
