//! Section `[checkpoint]`: keys of [`CheckpointOptions`].

use super::schema::{Key, Kind, Range, Section};
use super::table;
use crate::monodomain::options::CheckpointOptions;

pub const SECTION: Section = Section {
    name: "checkpoint",
    doc: "States of `isochrone fk` from which --resume continues.",
    keys: &[
        Key::new(
            "every_minutes",
            Kind::Number(Range::Positive),
            "wall time between checkpoints",
        )
        .unit("min")
        .absent("only when the run is stopped"),
        Key::new(
            "every_ms",
            Kind::Number(Range::Positive),
            "simulated time between checkpoints",
        )
        .unit("ms")
        .absent("only when the run is stopped"),
        Key::new(
            "keep",
            Kind::Integer(1),
            "how many of the last checkpoints are kept",
        ),
    ],
    alternatives: &[],
    defaults: || table(&CheckpointOptions::default()),
};
