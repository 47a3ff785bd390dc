//! Section `[fk]` and the tables in it: keys of [`FkOptions`].

use super::schema::{Alternatives, Key, Kind, Range, Section};
use super::table;
use crate::monodomain::options::{FkOptions, RecordOptions};

const NUMBER: Kind = Kind::Number(Range::Any);
const POSITIVE: Kind = Kind::Number(Range::Positive);
const NON_NEGATIVE: Kind = Kind::Number(Range::NonNegative);
const NUMBERS: Kind = Kind::List(&NUMBER);
const SIZE: Kind = Kind::List(&Kind::Integer(1));
const BOUNDARY: Kind = Kind::Choice(&["no-flux", "periodic"]);
/// A name that may look like a number: "1A", 3.
const NAME: Kind = Kind::Either(&[Kind::Text, Kind::Integer(0)]);

/// `[fk]`, `[[fk.region]]`, `[[fk.hole]]`, `[[fk.stimulus]]`, `[fk.record]`.
pub const FK: Section = Section {
    name: "fk",
    doc: "Waves by the monodomain equation on a grid: model, grid, numerics.",
    keys: &[
        Key::new("model", Kind::Text, "model of the membrane"),
        Key::new(
            "parameters",
            NAME,
            "published parameter set, \"1A\" to \"10\"; or the constants by name. Of another model: by \
             default its first set",
        ),
        Key::new("parameters.*", NUMBER, "constant of the model"),
        Key::new(
            "grid.shape",
            SIZE,
            "numbers of cells (x), (y, x) or (z, y, x); [] is a single cell",
        ),
        Key::new(
            "grid.mesh",
            Kind::Path,
            "mesh file that is voxelised; with neither mesh, shape nor voxels: that of [mesh]",
        ),
        Key::new(
            "grid.unit",
            Kind::Choice(&["um", "mm", "cm", "m"]),
            "unit of grid.mesh",
        )
        .absent("um for CARP files, else mm"),
        Key::new(
            "grid.voxels",
            Kind::Path,
            "voxelised mesh, a file of `isochrone mesh voxelize`",
        ),
        Key::new(
            "grid.spacing",
            Kind::Either(&[POSITIVE, Kind::List(&POSITIVE)]),
            "size of the cells: one number, or one per axis in the order of shape",
        )
        .unit("mm"),
        Key::new(
            "boundary",
            Kind::Either(&[BOUNDARY, Kind::List(&BOUNDARY)]),
            "edges of the grid: one kind, or one per axis in the order of shape",
        ),
        Key::new(
            "mask.file",
            Kind::Path,
            "HDF5 file with the cells that take part, not 0 there",
        )
        .required(),
        Key::new(
            "mask.dataset",
            Kind::Text,
            "dataset in that file, of the grid's shape",
        )
        .required(),
        Key::new(
            "diffusivity",
            POSITIVE,
            "isotropic diffusivity; times gamma of the domain where the grid has domains",
        )
        .unit("mm²/ms"),
        Key::new(
            "diffusivity.fibre",
            POSITIVE,
            "diffusivity along the fibres, or x",
        )
        .unit("mm²/ms")
        .required(),
        Key::new(
            "diffusivity.sheet",
            POSITIVE,
            "across the fibres in the sheet, or y",
        )
        .unit("mm²/ms")
        .required(),
        Key::new("diffusivity.normal", POSITIVE, "normal to the sheet, or z")
            .unit("mm²/ms")
            .absent("only in 2D, which does not use it"),
        Key::new(
            "diffusivity.direction",
            NUMBERS,
            "fibre direction x, y(, z) everywhere",
        )
        .absent("the fibres of the grid; x where it has none"),
        Key::new(
            "diffusivity.file",
            Kind::Path,
            "HDF5 file with the diffusivity of each cell, mm²/ms",
        )
        .required(),
        Key::new(
            "diffusivity.dataset",
            Kind::Text,
            "dataset in that file: shape of the grid; for tensors with 3 (xx xy yy) or 6 (xx xy xz \
             yy yz zz) components behind",
        )
        .required(),
        Key::new(
            "stencil",
            Kind::Choice(&["flux", "cardiax"]),
            "flux: conservative finite volumes; cardiax: the seed program's scheme, 2D",
        ),
        Key::new(
            "integrator",
            Kind::Choice(&["euler", "heun", "rush-larsen"]),
            "time stepping; rush-larsen: Euler with exponential gates",
        ),
        Key::new(
            "precision",
            Kind::Choice(&["f32", "f64"]),
            "floating-point type of the state",
        ),
        Key::new("dt", POSITIVE, "time step").unit("ms"),
        Key::new("duration", POSITIVE, "simulated time; or give steps").unit("ms"),
        Key::new(
            "steps",
            Kind::Integer(1),
            "number of steps; or give duration",
        ),
        Key::new(
            "initial.file",
            Kind::Path,
            "HDF5 file with the first state, a result file for one; cells that are NaN begin at rest",
        )
        .required(),
        Key::new(
            "initial.group",
            Kind::Text,
            "group in that file with u, v, …",
        )
        .absent("/fk"),
        Key::new(
            "initial.*",
            NUMBER,
            "first value of a variable everywhere; absent: at rest",
        ),
        Key::new(
            "steps_per_exchange",
            Kind::Integer(1),
            "steps between halo exchanges; changes the time taken, not the result",
        )
        .absent("chosen by the program"),
        Key::new(
            "tile",
            SIZE,
            "cells of a tile along each axis of the grid; changes the time taken, not the result",
        )
        .absent("chosen by the program"),
        Key::new(
            "largest_u",
            POSITIVE,
            "the run has diverged where |u| is larger",
        ),
        Key::new(
            "bridge.mesh",
            Kind::Path,
            "mesh at whose vertices activation times are sampled, for `isochrone invert`",
        )
        .absent("the voxelised mesh (bridge = {})"),
        Key::new(
            "tune.speed",
            POSITIVE,
            "conduction velocity for which the isotropic diffusivity is searched, in place of a run",
        )
        .unit("mm/ms")
        .required(),
        Key::new(
            "tune.tolerance",
            POSITIVE,
            "relative error of that velocity",
        )
        .absent("0.001"),
        Key::new(
            "restitution.s1_period",
            POSITIVE,
            "restitution curves by an S1-S2 protocol, in place of a run: from S1 to S1",
        )
        .unit("ms")
        .required(),
        Key::new("restitution.s1_count", Kind::Integer(1), "number of S1").required(),
        Key::new(
            "restitution.s2",
            Kind::List(&POSITIVE),
            "intervals from the last S1 to S2",
        )
        .unit("ms"),
        Key::new("restitution.s2.from", POSITIVE, "shortest interval")
            .unit("ms")
            .required(),
        Key::new("restitution.s2.to", POSITIVE, "longest interval")
            .unit("ms")
            .required(),
        Key::new("restitution.s2.step", POSITIVE, "from interval to interval")
            .unit("ms")
            .required(),
        Key::new(
            "restitution.amplitude",
            NUMBER,
            "du/dt of S1 and S2",
        )
        .unit("1/ms")
        .required(),
        Key::new("restitution.duration", POSITIVE, "duration of S1 and S2")
            .unit("ms")
            .required(),
        Key::new(
            "restitution.region",
            Kind::Choice(&["all"]),
            "where S1 and S2 act: all",
        )
        .absent("the single cell"),
    ],
    alternatives: &[
        Alternatives {
            groups: &[
                &["grid.shape"],
                &["grid.mesh", "grid.unit"],
                &["grid.voxels"],
            ],
            required: false,
        },
        Alternatives {
            groups: &[&["grid.voxels"], &["grid.spacing"]],
            required: false,
        },
        Alternatives {
            groups: &[&["duration"], &["steps"]],
            required: false,
        },
        Alternatives {
            groups: &[
                &[
                    "diffusivity.fibre",
                    "diffusivity.sheet",
                    "diffusivity.normal",
                    "diffusivity.direction",
                ],
                &["diffusivity.file", "diffusivity.dataset"],
            ],
            required: true,
        },
        Alternatives {
            groups: &[&["initial.file", "initial.group"], &["initial.*"]],
            required: false,
        },
    ],
    defaults: || {
        let mut options = toml::Table::try_from(FkOptions::default()).unwrap_or_default();
        // Tables of their own; `[]` for a list would say nothing.
        for table in ["record", "region", "hole", "stimulus"] {
            options.remove(table);
        }
        options.to_string()
    },
};

pub const PARAMETER_REGION: Section = Section {
    name: "fk.region",
    doc: "Parts of the tissue with other constants or conductivity; the last that holds a cell wins.",
    keys: &[
        Key::new(
            "#.parameters",
            NAME,
            "parameter set there; or the constants by name",
        )
        .absent("fk.parameters"),
        Key::new("#.parameters.*", NUMBER, "constant of the model"),
        Key::new(
            "#.gamma",
            POSITIVE,
            "conductivity scaling there: D is multiplied by it",
        )
        .absent("1"),
        Key::new("#.region", Kind::Choice(&["all"]), "which cells: all").required(),
    ],
    alternatives: &[],
    defaults: String::new,
};

pub const STIMULUS: Section = Section {
    name: "fk.stimulus",
    doc: "Stimuli, one [[fk.stimulus]] each.",
    keys: &[
        Key::new(
            "#.kind",
            Kind::Choice(&["current", "voltage", "replace"]),
            "current: added to du/dt; voltage: u is held; replace: takes the place of the ionic \
             current",
        )
        .required(),
        Key::new(
            "#.amplitude",
            NUMBER,
            "current and replace: du/dt, 1/ms; voltage: u",
        )
        .required(),
        Key::new("#.region", Kind::Choice(&["all"]), "which cells: all").required(),
        Key::new(
            "#.timing",
            Kind::Choice(&["plain", "seed"]),
            "seed: the seed program's rule for kind replace, with start, duration and period in steps",
        )
        .absent("plain"),
        Key::new("#.start", NON_NEGATIVE, "onset")
            .unit("ms")
            .absent("0"),
        Key::new("#.duration", NON_NEGATIVE, "how long")
            .unit("ms")
            .required(),
        Key::new("#.period", NON_NEGATIVE, "from onset to onset")
            .unit("ms")
            .absent("once"),
        Key::new("#.count", Kind::Integer(1), "how many times").absent("to the end of the run"),
    ],
    alternatives: &[],
    defaults: String::new,
};

static REGION_KEYS: [Key; 12] = [
    Key::new(
        "box",
        Kind::List(&NUMBERS),
        "cells with their centre in a box: [low, high]",
    ),
    Key::new("box.low", NUMBERS, "low corner x, y(, z) of a box")
        .unit("mm")
        .required(),
    Key::new("box.high", NUMBERS, "high corner x, y(, z) of a box")
        .unit("mm")
        .required(),
    Key::new(
        "half",
        Kind::Choice(&["west", "east", "north", "south", "bottom", "top"]),
        "band from a side: west is low x, north low y, bottom low z",
    )
    .required(),
    Key::new(
        "coverage",
        POSITIVE,
        "width of the band, as a fraction of the grid's extent",
    )
    .required(),
    Key::new(
        "angle",
        NUMBER,
        "rotation of the band about the grid's centre, from x to y",
    )
    .unit("degrees")
    .absent("0"),
    Key::new("sphere.centre", NUMBERS, "centre x, y(, z) of a ball")
        .unit("mm")
        .required(),
    Key::new("sphere.radius", POSITIVE, "radius of that ball")
        .unit("mm")
        .required(),
    Key::new("file", Kind::Path, "HDF5 file with the cells, not 0 there").required(),
    Key::new(
        "dataset",
        Kind::Text,
        "dataset in that file, of the grid's shape",
    )
    .required(),
    Key::new(
        "domains",
        Kind::List(&Kind::Integer(0)),
        "material domains of a voxelised mesh",
    ),
    Key::new("tags", Kind::List(&Kind::Tag), "tags of a voxelised mesh"),
];

/// The keys of a region, wherever one is given.
const fn region(name: &'static str, doc: &'static str) -> Section {
    Section {
        name,
        doc,
        keys: &REGION_KEYS,
        alternatives: &[Alternatives {
            groups: &[
                &["box"],
                &["half", "coverage", "angle"],
                &["sphere"],
                &["file", "dataset"],
                &["domains"],
                &["tags"],
            ],
            required: true,
        }],
        defaults: String::new,
    }
}

pub const STIMULUS_CELLS: Section = region(
    "fk.stimulus.#.region",
    "Which cells, in mm from the grid's low corner, or in the coordinates of a voxelised mesh.",
);
pub const RESTITUTION_CELLS: Section = region(
    "fk.restitution.region",
    "Where the stimuli of an S1-S2 protocol act.",
);
pub const PARAMETER_CELLS: Section = region("fk.region.#.region", "Which cells.");
pub const HOLE: Section = region("fk.hole.#", "Holes cut out of the tissue.");

pub const RECORD: Section = Section {
    name: "fk.record",
    doc: "What is recorded beside the final state.",
    keys: &[
        Key::new("frames_every", POSITIVE, "interval of frames")
            .unit("ms")
            .absent("no frames"),
        Key::new("frames", Kind::List(&Kind::Text), "variables in the frames"),
        Key::new(
            "activation_threshold",
            NUMBER,
            "activation is where u rises through this",
        )
        .absent("no activation times"),
        Key::new(
            "activations",
            Kind::Integer(0),
            "activations kept per cell beside the first and the last; records activations at 0.5 \
             where activation_threshold is absent",
        ),
        Key::new(
            "apd_level",
            POSITIVE,
            "action potentials end at this fraction of repolarisation: 0.9 for APD90",
        )
        .absent("no durations"),
        Key::new(
            "probes",
            Kind::List(&NUMBERS),
            "points x, y(, z) where u is recorded",
        )
        .unit("mm"),
        Key::new("probes_every", POSITIVE, "interval of the probes").unit("ms"),
        Key::new(
            "electrodes",
            Kind::List(&Kind::Point(Range::Any)),
            "points x, y, z of the pseudo-ECG; 2D tissue lies at z of half its spacing",
        )
        .unit("mm"),
        Key::new("ecg_every", POSITIVE, "interval of the pseudo-ECG").unit("ms"),
        Key::new("tip", Kind::Boolean, "spiral tips (2D) or filaments (3D)"),
        Key::new("tip_every", POSITIVE, "interval of the tips").unit("ms"),
        Key::new("tip_u", NUMBER, "u at a tip"),
        Key::new("tip_gate", NUMBER, "first gate at a tip"),
        Key::new(
            "compression",
            Kind::Integer(0),
            "compression of frames, 0 (none) to 9",
        ),
    ],
    alternatives: &[],
    defaults: || table(&RecordOptions::default()),
};
