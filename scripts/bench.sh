#!/usr/bin/env bash
# Speed of every part, in one table.
#
#     scripts/bench.sh [FILTER…]      only the lines whose name contains one of the filters
#
# benches/eikonal: forward solutions beside a classical FIM, their derivatives, ranks, inversions.
# benches/fk: simulations beside a plain loop, the machine's bandwidth and its arithmetic.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

cargo build --quiet --release --benches
for bench in eikonal fk; do
    printf '\n== %s\n' "$bench"
    cargo bench --quiet --bench "$bench" -- "$@"
done
