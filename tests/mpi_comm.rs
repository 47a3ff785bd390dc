//! Every operation of the communicator under a real mpirun.
//!
//! Without the test harness: under a launcher this program is one rank; otherwise it starts itself
//! under mpirun with 1 to 4 ranks and looks at how they end.

mod comm_operations;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use isochrone::comm::{Communicator, agree, mpi};
use isochrone::error::Error;

fn main() -> ExitCode {
    if mpi::launched() {
        return ExitCode::from(rank());
    }
    // `cargo test -- --list` and filters of other tests reach this program too.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--list") {
        println!("mpi_comm: test");
        return ExitCode::SUCCESS;
    }
    if arguments
        .iter()
        .any(|a| !a.starts_with('-') && !"mpi_comm".contains(a.as_str()))
    {
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for ranks in 1..=4 {
        failed += case(
            ranks,
            "operations",
            0,
            &format!("all {ranks} ranks are right"),
        );
        failed += case(ranks, "small-pieces", 0, "are right");
    }
    failed += case(3, "error", 65, "rank 1: tetrahedron 17");
    failed += case(
        3,
        "panic-in-exchange",
        70,
        "panic kept until the exchange was over",
    );
    failed += case(3, "abort", 71, "");
    println!("mpi_comm: {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

/// Runs this program on `ranks` ranks; 1 if it ends otherwise than expected.
fn case(ranks: usize, what: &str, exit_code: i32, says: &str) -> usize {
    let output = std::env::temp_dir().join(format!("mpi_comm-{}.txt", std::process::id()));
    let ended = run(ranks, what, &output);
    let text = std::fs::read_to_string(&output).unwrap_or_default();
    let _ = std::fs::remove_file(&output);
    let ok = ended == Ok(exit_code) && text.contains(says);
    println!(
        "{} {what} on {ranks} ranks",
        if ok { "ok  " } else { "FAIL" }
    );
    if !ok {
        println!("     {ended:?}, expected exit code {exit_code} and {says:?} in:\n{text}");
    }
    usize::from(!ok)
}

fn run(ranks: usize, what: &str, output: &std::path::Path) -> Result<i32, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let file = std::fs::File::create(output).map_err(|e| e.to_string())?;
    let both = file.try_clone().map_err(|e| e.to_string())?;
    let mut mpirun = Command::new("mpirun")
        .args(["--oversubscribe", "-n", &ranks.to_string()])
        .arg(program)
        .env("ISOCHRONE_TEST_CASE", what)
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(both)
        .spawn()
        .map_err(|e| format!("mpirun: {e}"))?;
    let start = Instant::now();
    loop {
        match mpirun.try_wait().map_err(|e| e.to_string())? {
            Some(status) => return status.code().ok_or_else(|| status.to_string()),
            None if start.elapsed() > Duration::from_secs(120) => {
                let _ = mpirun.kill();
                let _ = mpirun.wait();
                return Err("hangs".into());
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// What one rank does; the exit code.
fn rank() -> u8 {
    let world = match mpi::start() {
        Ok(world) => world,
        Err(e) => {
            eprintln!("{e}");
            return e.exit_code();
        }
    };
    let ranks = world.size();
    match std::env::var("ISOCHRONE_TEST_CASE").as_deref() {
        Ok("operations") => {
            comm_operations::check_every_operation(&world, 3_000_000);
            say(&world, &format!("all {ranks} ranks are right"));
            0
        }
        Ok("small-pieces") => {
            // Every message longer than 1000 bytes goes in pieces, some of them full.
            let world = world.with_pieces_of(1000);
            comm_operations::check_every_operation(&world, 64_000);
            say(&world, "small pieces are right");
            0
        }
        Ok("error") => {
            let result = if world.rank() == 1 {
                Err(Error::bad_data("tetrahedron 17", "flat", "remove it"))
            } else {
                Ok(())
            };
            match agree(&world, result) {
                Ok(()) => 0,
                Err(e) => {
                    say(&world, &e.to_string());
                    e.exit_code()
                }
            }
        }
        Ok("panic-in-exchange") => panic_in_exchange(&world),
        Ok("abort") => {
            if world.rank() == 1 {
                world.abort(71);
            }
            // The others wait for a message that never comes.
            world.barrier();
            1
        }
        other => {
            eprintln!("no such case: {other:?}");
            2
        }
    }
}

/// A panic between the start and the end of an exchange leaves no message behind.
fn panic_in_exchange(world: &mpi::World) -> u8 {
    let (me, n) = (world.rank(), world.size());
    let outgoing = [((me + 1) % n, vec![me as u8; 100_000])];
    let incoming = [(me + n - 1) % n];
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.exchange(&outgoing, &incoming, &mut || {
            if me == 1 {
                panic!("in the interior");
            }
        })
    }));
    let received = world.exchange(&outgoing, &incoming, &mut || ());
    let ok = outcome.is_err() == (me == 1) && received == [vec![incoming[0] as u8; 100_000]];
    if ok {
        say(world, "panic kept until the exchange was over");
        70
    } else {
        1
    }
}

fn say(world: &mpi::World, text: &str) {
    if world.rank() == 0 {
        println!("{text}");
    }
}
