//! Section `[eikonal]`: keys of [`EikonalOptions`].

use super::schema::{Key, Kind, Range, Section};
use super::table;
use crate::eikonal::options::EikonalOptions;

pub const SECTION: Section = Section {
    name: "eikonal",
    doc: "The forward solver.",
    keys: &[
        Key::new(
            "precision",
            Kind::Choice(&["f32", "f64"]),
            "floating-point type of the solver; results are written in f64",
        ),
        Key::new(
            "bucket_width",
            Kind::Number(Range::Positive),
            "width of a bucket of the active list; changes the time taken, not the result",
        )
        .unit("ms")
        .absent("chosen from the mesh"),
    ],
    alternatives: &[],
    defaults: || table(&EikonalOptions::default()),
};
