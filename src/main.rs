//! Command line → communicator → run → exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use isochrone::cli::{Cli, LogForm};
#[cfg(feature = "mpi")]
use isochrone::comm::timed::Timed;
use isochrone::comm::{Communicator, solo::Solo};
use isochrone::error::{Error, Result};
use isochrone::progress::Console;
use isochrone::run;

/// Exit code of a panic.
const BUG: u8 = 70;

fn main() -> ExitCode {
    report_panics_as_bugs();
    let comm = match communicator() {
        Ok(comm) => comm,
        Err(error) => {
            Console::new(0, 0, false, false).show_error(&error);
            return ExitCode::from(error.exit_code());
        }
    };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Also --help and --version, which end well.
            if comm.rank() == 0 {
                let _ = told.print();
            }
            return ExitCode::from(told.exit_code() as u8);
        }
    };
    let json = cli.log.form == LogForm::Json;
    let console = Console::new(comm.rank(), cli.log.verbose, cli.log.quiet, json);
    console.start_log();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let span = tracing::error_span!("rank", n = comm.rank());
        let _inside = (comm.size() > 1 && cli.log.verbose > 0).then(|| span.enter());
        run::run(&cli, comm.as_ref(), console)
    }));
    match ran {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(comm.as_ref(), &console, &error),
        // The panic has been reported; ranks that wait for this one must not wait for ever.
        Err(_) => comm.abort(BUG),
    }
}

/// All ranks of an MPI launch, or this process alone.
fn communicator() -> Result<Box<dyn Communicator>> {
    #[cfg(feature = "mpi")]
    if isochrone::comm::mpi::launched() {
        let world = isochrone::comm::mpi::start()?;
        return Ok(Box::new(Timed::new(Box::new(world))));
    }
    Ok(Box::new(Solo))
}

/// Shows the error once and gives its exit code.
fn fail(comm: &dyn Communicator, console: &Console, error: &Error) -> ExitCode {
    let agreed = comm.size() == 1 || matches!(error, Error::Rank { .. });
    if !agreed {
        // The others may be waiting for this rank. Rank 0 speaks first, in case all have failed.
        if comm.rank() != 0 {
            std::thread::sleep(Duration::from_secs(1));
        }
        console.show_error(error);
        comm.abort(error.exit_code());
    }
    if comm.rank() == 0 {
        console.show_error(error);
    }
    ExitCode::from(error.exit_code())
}

/// A panic is a bug of ours, and says so in one line.
fn report_panics_as_bugs() {
    let backtrace = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        let place = info
            .location()
            .map_or_else(String::new, |l| format!(" at {l}"));
        let error = Error::Bug(format!("{message}{place}"));
        Console::new(0, 0, false, false).show_error(&error);
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|v| v != "0") {
            backtrace(info);
        }
    }));
}
