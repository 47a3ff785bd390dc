//! The largest stable time step.

use crate::comm::{Communicator, agree};
use crate::error::{Error, Result};
use crate::monodomain::options::StencilKind;
use crate::monodomain::tile::Tile;
use crate::real::Float;

/// The largest stable Δt of a diffusion whose Σ_faces D_face/Δx² (1/ms) is at most `diffusion`, with
/// a reaction of `rate` 1/ms: Δt (2 Σ D/Δx² + rate) ≤ 2 (physics: explicit Euler on the real axis;
/// Heun has the same interval).
pub fn largest_dt(stencil: StencilKind, diffusion: f64, rate: f64) -> f64 {
    // cardiax: D Δt/Δx² ≤ 0.53 in 2D, where the sum over four faces is 4 D/Δx².
    let share = match stencil {
        StencilKind::Flux => 2.0,
        StencilKind::Cardiax => 2.0 / (4.0 * 0.53),
    };
    2.0 / (share * diffusion + rate)
}

/// Refuses a Δt beyond the limit of stability. Collective.
pub(super) fn check_dt<T: Float, const G: usize>(
    comm: &dyn Communicator,
    tiles: &[Tile<T, G>],
    stencil: StencilKind,
    dt: f64,
    rate: f64,
) -> Result<()> {
    let mut largest = [0.0];
    for tile in tiles {
        largest[0] = tile.stencil.largest_sum(&tile.layout).max(largest[0]);
    }
    comm.max_f64(&mut largest);
    let most = largest_dt(stencil, largest[0] / dt, rate);
    // Weights in single precision are good to 1e-7.
    if dt <= most * (1.0 + 1e-6) {
        return Ok(());
    }
    // Four digits, rounded down: an advice of 0 would help nobody.
    let places = (3 - most.log10().floor() as i32).max(0) as usize;
    let unit = 10_f64.powi(places as i32);
    let most = format!("{:.places$}", (most * unit).floor() / unit);
    let refused = Err(Error::bad_data(
        "fk.dt",
        format!(
            "steps of {dt} ms are unstable: at most {most} ms with this diffusivity, spacing and reaction"
        ),
        format!("set fk.dt to {most} or less, or use a coarser grid"),
    ));
    agree(comm, refused)
}
