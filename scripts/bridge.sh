#!/usr/bin/env bash
# The bridge: simulates a biventricle with a scar (config/fk-bridge.toml), finds the scar by eikonal
# inversion (config/invert-bridge.toml), and says how well, and how far the two models are apart.
# Further arguments go to the simulation: scripts/bridge.sh --set fk.grid.spacing=0.5
# OUTPUT (results/bridge) may be set in the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

isochrone=${ISOCHRONE:-target/release/isochrone}
output=${OUTPUT:-results/bridge}
measured="inversion.measured.file=$(realpath -m "$output")/fk/activation.h5"

"$isochrone" fk config/fk-bridge.toml --output "$output/fk" --overwrite "$@"
"$isochrone" invert config/invert-bridge.toml --set "$measured" --output "$output/invert" --overwrite
# The other model at the gamma of the simulation.
gamma=$("$isochrone" config show config/fk-bridge.toml | sed -n 's/^gamma = \(\[[^]]*\]\).*/\1/p')
"$isochrone" eikonal config/invert-bridge.toml --set "$measured" --set "domains.gamma=$gamma" \
    --output "$output/eikonal" --overwrite
"$PYTHON" scripts/bridge.py "$output/fk" "$output/invert" "$output/eikonal"
