#!/usr/bin/env bash
# The tables and figures of the two programs that isochrone began with, made again by isochrone:
# writes docs/seeds.md and docs/pictures/seeds-*.png. Some minutes on two free cores.
#
#     scripts/reproduce-seeds.sh [--quick]
#
# --quick: smaller meshes, fewer steps, to results/seeds alone; a check that everything runs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [[ -z ${ISOCHRONE:-} ]]; then
    cargo build --release --locked
    ISOCHRONE=$PWD/target/release/isochrone
fi
export ISOCHRONE
exec "$PYTHON" scripts/seeds.py "$@"
