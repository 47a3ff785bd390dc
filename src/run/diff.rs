//! `isochrone diff A.h5 B.h5`: two results compared dataset by dataset.

use std::fmt::Write;
use std::path::Path;

use super::print_on_root;
use crate::cli::{DiffArgs, ToleranceArgs};
use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::io::{Comparison, Different, Outcome, Tolerance, compare};

/// Compares on rank 0 and prints a table. Collective.
///
/// # Errors
/// [`Error::Different`] where something differs by more than the tolerance.
pub fn run(args: &DiffArgs, comm: &dyn Communicator) -> Result<()> {
    diff(
        comm,
        [&args.first, &args.second],
        tolerance(&args.tolerance),
    )
}

/// By how much numbers may differ.
pub fn tolerance(args: &ToleranceArgs) -> Tolerance {
    Tolerance {
        absolute: args.absolute,
        relative: args.relative,
    }
}

/// The same for two files.
pub fn diff(comm: &dyn Communicator, files: [&Path; 2], tolerance: Tolerance) -> Result<()> {
    let compared = if comm.rank() == 0 {
        compare(files[0], files[1])
    } else {
        Ok(Vec::new())
    };
    let compared = agree(comm, compared)?;
    print_on_root(comm, &table(&compared, tolerance))?;
    let failed = compared
        .iter()
        .filter(|c| !c.outcome.passes(tolerance))
        .count();
    let verdict = match failed {
        0 => Ok(()),
        n => Err(Error::Different {
            first: files[0].to_owned(),
            second: files[1].to_owned(),
            differences: n,
        }),
    };
    agree(comm, verdict)
}

fn table(compared: &[Comparison], tolerance: Tolerance) -> String {
    let width = compared.iter().map(|c| c.dataset.chars().count()).max();
    let width = width.unwrap_or(0).max("dataset".len());
    let mut text = format!(
        "{:<width$}  {:>10}  {:>10}  {:>9}  {:>9}  {:>9}\n",
        "dataset", "values", "different", "largest", "relative", "rms"
    );
    for Comparison { dataset, outcome } in compared {
        let _ = write!(text, "{dataset:<width$}  ");
        let verdict = match outcome {
            Outcome::Numbers(n) if n.different == 0 => "same".into(),
            Outcome::Texts(t) if t.different == 0 => "same".into(),
            _ if outcome.passes(tolerance) => "within the tolerance".into(),
            Outcome::Numbers(n) => format!("DIFFERENT, most at number {}", n.at),
            _ => "DIFFERENT".to_string(),
        };
        let _ = match outcome {
            Outcome::Numbers(n) => writeln!(
                text,
                "{:>10}  {:>10}  {:>9.2e}  {:>9.2e}  {:>9.2e}  {verdict}",
                n.count,
                n.different,
                n.largest,
                n.relative(),
                n.root_mean_square
            ),
            Outcome::Texts(t) => {
                let first = t.first.as_ref().map_or(String::new(), |(at, [a, b])| {
                    format!(", first at text {at}: {a:.40?} and {b:.40?}")
                });
                let (none, verdict) = ("text", verdict + &first);
                writeln!(
                    text,
                    "{:>10}  {:>10}  {none:>9}  {:>9}  {:>9}  {verdict}",
                    t.count, t.different, "", ""
                )
            }
            Outcome::Only(0) => writeln!(text, "in the first file only  {verdict}"),
            Outcome::Only(_) => writeln!(text, "in the second file only  {verdict}"),
            Outcome::Shapes([a, b]) => writeln!(text, "shapes {a:?} and {b:?}  {verdict}"),
            Outcome::Types([a, b]) => writeln!(text, "{a} and {b}  {verdict}"),
            Outcome::Attribute(Different { name, values, .. }) => {
                let [a, b] = values;
                writeln!(text, "attribute {name}: {a} and {b}  {verdict}")
            }
            Outcome::Skipped(why) => writeln!(text, "not compared: {why}"),
        };
    }
    text
}
