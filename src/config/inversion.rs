//! Section `[inversion]`: keys of [`InversionOptions`].

use super::domains::{Domains, check_length};
use super::schema::{Alternatives, Key, Kind, Range, Section};
use super::table;
use super::{Origins, Place, Source};
use crate::error::Result;
use crate::inversion::options::{GammaInput, InversionOptions};

/// γ lists have one number per domain, lists of sources one item per source.
pub(super) fn validate(
    options: &InversionOptions,
    domains: &Domains,
    sources: &[Source],
    origins: &Origins,
) -> Result<()> {
    if let Some(twin) = &options.twin {
        let lengths = [
            ("onsets", twin.onsets.as_ref().map(Vec::len)),
            ("points", twin.points.as_ref().map(Vec::len)),
        ];
        for (key, length) in lengths {
            if let Some(length) = length.filter(|n| *n != sources.len()) {
                return Err(origins.error(
                    &format!("inversion.twin.{key}"),
                    format!("has {length} items for {} sources", sources.len()),
                    "give one for each [[source]]",
                ));
            }
        }
        let is_point = |source: &Source| matches!(source.place, Place::Point(_));
        if twin.points.is_some() && !sources.iter().all(is_point) {
            return Err(origins.error(
                "inversion.twin.points",
                "a source is no point",
                "give every [[source]] a point, or remove it",
            ));
        }
        let gamma = GammaInput::PerDomain(twin.gamma.clone());
        check_length("inversion.twin.gamma", &gamma, domains, origins)?;
    }
    if let Some(gamma) = &options.initial_gamma {
        check_length("inversion.initial_gamma", gamma, domains, origins)?;
    }
    Ok(())
}

const POSITIVES: Kind = Kind::List(&Kind::Number(Range::Positive));
const NON_NEGATIVE: Kind = Kind::Number(Range::NonNegative);

pub const SECTION: Section = Section {
    name: "inversion",
    doc: "Estimation of gamma from activation times; `gradient` uses its misfit.",
    keys: &[
        Key::new(
            "measured.file",
            Kind::Path,
            "HDF5 file with measured activation times, ms, or a .dat of openCARP's (-1: not measured)",
        )
        .required(),
        Key::new("measured.dataset", Kind::Text, "dataset in that file")
            .absent("/fields/activation_time"),
        Key::new(
            "twin.gamma",
            POSITIVES,
            "twin experiment: times are those of this gamma, one per domain",
        )
        .required(),
        Key::new(
            "twin.noise_ms",
            NON_NEGATIVE,
            "standard deviation of Gaussian noise on them",
        )
        .unit("ms")
        .absent("0"),
        Key::new("twin.seed", Kind::Integer(0), "seed of that noise").absent("0"),
        Key::new(
            "twin.scar.centre",
            Kind::Point(Range::Any),
            "a ball of tissue with another gamma in the twin, whatever the domains are: its centre",
        )
        .unit("mesh.unit")
        .required(),
        Key::new(
            "twin.scar.radius",
            Kind::Number(Range::Positive),
            "radius of that ball",
        )
        .unit("mesh.unit")
        .required(),
        Key::new(
            "twin.scar.gamma",
            Kind::Number(Range::Positive),
            "gamma in that ball",
        )
        .required(),
        Key::new(
            "twin.onsets",
            Kind::List(&Kind::Number(Range::Any)),
            "onset of each source in the twin",
        )
        .unit("ms")
        .absent("source.time"),
        Key::new(
            "twin.points",
            Kind::List(&Kind::Point(Range::Any)),
            "place of each source in the twin",
        )
        .unit("mesh.unit")
        .absent("source.point"),
        Key::new(
            "vertices",
            Kind::Choice(&["all", "surface"]),
            "where times are measured",
        ),
        Key::new(
            "vertices.file",
            Kind::Path,
            "HDF5 file with the numbers of the measured vertices, or a .vtx of openCARP's",
        )
        .required(),
        Key::new("vertices.dataset", Kind::Text, "dataset in that file"),
        Key::new(
            "vertices.points",
            Kind::List(&Kind::Point(Range::Any)),
            "measured points inside tetrahedra; phi is interpolated",
        )
        .unit("mesh.unit"),
        Key::new(
            "weights.file",
            Kind::Path,
            "HDF5 file with the weights of the measurements",
        )
        .required(),
        Key::new("weights.dataset", Kind::Text, "dataset in that file"),
        Key::new(
            "noise_ms",
            Kind::Number(Range::Positive),
            "standard deviation of the noise of a measurement of weight 1 (of weight w: its root by \
             that of w)",
        )
        .unit("ms")
        .absent("that of the twin, else estimated from the misfit"),
        Key::new(
            "parameter",
            Kind::Choice(&["log", "gamma"]),
            "what the optimiser varies: log gamma (stays positive) or gamma",
        ),
        Key::new(
            "initial_gamma",
            Kind::Either(&[Kind::Number(Range::Positive), POSITIVES]),
            "first gamma: one number, or one per domain",
        )
        .absent("domains.gamma"),
        Key::new(
            "optimizer",
            Kind::Choice(&[
                "bfgs",
                "lbfgs",
                "steepest-descent",
                "gauss-newton",
                "levenberg-marquardt",
            ]),
            "how the next gamma is found",
        ),
        Key::new(
            "initial_hessian",
            Kind::Choice(&["identity", "diagonal", "gauss-newton"]),
            "first Hessian of bfgs and lbfgs: identity, or from the Jacobian at the first point \
             (gauss-newton with bfgs: at the second, too)",
        ),
        Key::new(
            "gradient",
            Kind::Choice(&["adjoint", "tangent", "finite-differences", "all-active"]),
            "how df/dgamma is computed",
        ),
        Key::new(
            "stop.misfit",
            NON_NEGATIVE,
            "stop at this misfit (0: never)",
        )
        .unit("ms²"),
        Key::new(
            "stop.gradient_norm",
            NON_NEGATIVE,
            "stop at this largest component of the gradient (0: never)",
        ),
        Key::new(
            "stop.step",
            NON_NEGATIVE,
            "stop at this largest change of the parameter (0: never)",
        ),
        Key::new(
            "stop.iterations",
            Kind::Integer(0),
            "stop after this many iterations",
        ),
        Key::new(
            "regularisation.tikhonov",
            NON_NEGATIVE,
            "weight of the sum of (log gamma)²",
        )
        .unit("ms²"),
        Key::new(
            "regularisation.neighbour_jump",
            NON_NEGATIVE,
            "weight of the mean square of the jumps of log gamma over the area between domains",
        )
        .unit("ms²"),
        Key::new(
            "regularisation.choose",
            Kind::Choice(&["given", "l-curve", "discrepancy"]),
            "given: the weights as they are; l-curve, discrepancy: one multiple of both, at the corner \
             of the L-curve, or the largest whose misfit is that of the noise",
        ),
        Key::new(
            "regularisation.sweep.least",
            Kind::Number(Range::Positive),
            "smallest multiple that the rule tries",
        ),
        Key::new(
            "regularisation.sweep.most",
            Kind::Number(Range::Positive),
            "largest multiple, the first",
        ),
        Key::new(
            "regularisation.sweep.steps",
            Kind::Integer(2),
            "number of multiples, at equal ratios",
        ),
        Key::new(
            "refinement.domains",
            Kind::Integer(0),
            "split domains where their sensitivity varies, until the misfit is that of the noise or \
             there are so many (0: not at all)",
        ),
        Key::new(
            "uncertainty",
            Kind::Boolean,
            "standard deviations of the estimate, from one Jacobian at the end",
        ),
        Key::new(
            "multistart.starts",
            Kind::Integer(0),
            "random starts beside the initial gamma",
        ),
        Key::new(
            "multistart.log_range",
            NON_NEGATIVE,
            "log gamma of a start lies within ± this around that of the initial gamma",
        ),
        Key::new(
            "multistart.seed",
            Kind::Integer(0),
            "seed of the random starts",
        ),
    ],
    alternatives: &[
        Alternatives {
            groups: &[&["measured"], &["twin"]],
            required: false,
        },
        Alternatives {
            groups: &[&["vertices.file", "vertices.dataset"], &["vertices.points"]],
            required: false,
        },
    ],
    defaults: || table(&InversionOptions::default()),
};
