#!/usr/bin/env bash
# The tables and figures of the two programs that isochrone began with, made again by isochrone:
# writes docs/seeds.md, docs/pictures/seeds-*.png and docs/data/seeds-*.csv. Some minutes on two free cores.
#
#     scripts/reproduce-seeds.sh [--quick | --pictures]
#
# --quick: smaller meshes, fewer steps, to results/seeds alone; a check that everything runs.
# --pictures: draws the diagrams of docs/data/seeds-*.csv again, and runs nothing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [[ -z ${ISOCHRONE:-} ]]; then
    cargo build --release --locked
    ISOCHRONE=$PWD/target/release/isochrone
fi
export ISOCHRONE
exec "$PYTHON" scripts/seeds.py "$@"
