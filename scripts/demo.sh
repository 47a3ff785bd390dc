#!/usr/bin/env bash
# The main job, from a bare machine to recovered conductivities: set-up, build, then
#
#     mpirun -n 2 isochrone invert config/invert-biventricle-21.toml
#
# and what came out. Further arguments go to isochrone: scripts/demo.sh --set mesh.generate.edge=3
# RANKS (2) and OUTPUT (results/demo) may be set in the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

ranks=${RANKS:-2}
output=${OUTPUT:-results/demo}
threads=$(($(nproc) / ranks))
((threads)) || threads=1

scripts/setup.sh
source scripts/environment.sh # set-up may have brought cargo or .venv
cargo build --release --locked

command=(
    mpirun -n "$ranks" target/release/isochrone invert config/invert-biventricle-21.toml
    --output "$output" --overwrite --threads "$threads" "$@"
)
printf '\n$ %s\n' "${command[*]}"
"${command[@]}"

echo
if command -v "$PYTHON" >/dev/null; then
    "$PYTHON" scripts/summary.py "$output"
else
    cat "$output/report.json"
fi
if "$PYTHON" -c 'import numpy, h5py' 2>/dev/null; then
    printf '\nRead back with other programs:\n'
    "$PYTHON" scripts/check_results.py "$output"
fi
cat <<END

ParaView: open $output/inversion.xdmf (reader "XDMF Reader"), colour by activation_time or domains.
Pictures: target/release/isochrone plot $output
Python:   see "Reading the results" in README.md
END
