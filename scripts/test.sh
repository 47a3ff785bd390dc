#!/usr/bin/env bash
# All checks: set-up, format, lints, release build, tests (MPI ranks included), configurations, the
# interface contract, results read back by other programs, tutorials, the scripts themselves.
#
#     scripts/test.sh
#
# Runs every step even after a failure, lists what failed, and exits 1 if anything did.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
isochrone=target/release/isochrone
failed=()

# step NAME COMMAND...: runs the command, remembers its failure.
step() {
    local name=$1 begun=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    if "$@"; then
        printf -- '-- %s: ok (%d s)\n' "$name" $((SECONDS - begun))
    else
        printf -- '-- %s: FAILED (%d s)\n' "$name" $((SECONDS - begun))
        failed+=("$name")
    fi
}

skip() { printf '\n== %s: NOT RUN, %s\n' "$1" "$2"; }

shell_scripts() {
    local file ok=0
    for file in scripts/*.sh jobs/*.sh .ci/run; do
        bash -n "$file" || ok=1
    done
    if command -v shellcheck >/dev/null; then
        shellcheck --severity=warning --external-sources --source-path=SCRIPTDIR scripts/*.sh jobs/*.sh .ci/run || ok=1
    else
        echo "shellcheck is not installed: syntax only"
    fi
    return $ok
}

python_scripts() {
    "$PYTHON" - scripts/*.py tests/jobs/*.py <<'END'
import sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        compile(file.read(), name, "exec")
END
}

configurations() {
    local file ok=0
    for file in config/*.toml; do
        # Needs what config/fk-bridge.toml leaves: see results().
        [[ $file == config/invert-bridge.toml ]] && continue
        "$isochrone" config check "$file" || { echo "$file: refused"; ok=1; }
    done
    return $ok
}

# The configurations on the pages of the commands have keys that exist. Their files need not.
pages() {
    local file ok=0
    awk -v name="$results/page-" '/^```toml/ { n++; f = name n ".toml"; next } /^```/ { f = "" } f { print > f }' \
        docs/commands/*.md
    for file in "$results"/page-*.toml; do
        "$isochrone" config show "$file" >/dev/null || ok=1
    done
    return $ok
}

# Small runs of every command that computes, on ranks and alone.
results() {
    local all='output.formats=["xdmf", "vtkhdf", "dat"]'
    "$isochrone" eikonal config/eikonal-left-ventricle.toml --output "$results/eikonal" --set "$all" -q &&
        "$isochrone" mesh fibres "$results/eikonal/eikonal.h5" "$results/mesh.h5" &&
        "$isochrone" mesh convert "$results/mesh.h5" "$results/mesh.vtkhdf" &&
        mpirun -n 2 "$isochrone" eikonal config/eikonal-biventricle.toml \
            --output "$results/eikonal-2-ranks" -q &&
        "$isochrone" gradient config/gradient-check.toml --output "$results/gradient" --set "$all" -q &&
        mpirun -n 2 "$isochrone" invert config/invert-biventricle-6.toml \
            --set mesh.generate.edge=4 --output "$results/invert" --set "$all" -q &&
        "$PYTHON" scripts/summary.py "$results/invert" &&
        "$isochrone" fk config/fk-spiral.toml --set fk.duration=60 --output "$results/fk-spiral" --set "$all" -q &&
        mpirun -n 2 "$isochrone" fk config/fk-heart.toml --set mesh.generate.edge=5 \
            --set fk.grid.spacing=1.0 --set fk.duration=20 --set fk.record.frames_every=5 \
            --output "$results/fk-heart" --set "$all" -q &&
        "$isochrone" fk config/fk-heart.toml --set fk.grid.spacing=0.3 --simulate-ranks 4,64,1024
}

# What makes docs/seeds.md runs, on small cases.
seeds() { ISOCHRONE="$PWD/$isochrone" scripts/reproduce-seeds.sh --quick >/dev/null; }

# The Python of README.md does what it says.
readme_python() {
    # shellcheck disable=SC2016
    sed -n '/^```python/,/^```/{/^```/d;p}' README.md |
        sed "s|results/demo|$results/invert|; s|results/fk-spiral|$results/fk-spiral|" | "$PYTHON" -
}

# The commands of the tutorials run, and print what the tutorials tell.
tutorials() { PATH="$PWD/target/release:$PATH" "$PYTHON" scripts/tutorials.py; }

# Links between the documents lead to files that exist.
links() {
    local file target ok=0
    while IFS=: read -r file target; do
        [[ $target == https || -e $(dirname "$file")/$target ]] || { echo "$file: no such file: $target"; ok=1; }
    done < <(grep -HoE '\]\([^)#:]+' README.md docs/*.md docs/*/*.md | sed 's/:](/:/')
    return $ok
}

# A coarse simulation whose scar the inversion finds.
bridge() {
    OUTPUT="$results/bridge" ISOCHRONE="$isochrone" scripts/bridge.sh \
        --set fk.grid.spacing=0.6 --set fk.dt=0.1 --set fk.duration=220
}

scripts/setup.sh
source scripts/environment.sh # set-up may have brought cargo or .venv

step "shell scripts" shell_scripts
step "Python scripts" python_scripts
step "links between documents" links
step "format" cargo fmt --check
step "lints" cargo clippy --locked --all-targets --all-features -- -D warnings
step "lints without default features" \
    cargo clippy --locked --all-targets --no-default-features -- -D warnings
step "release build" cargo build --release --locked
step "tests" cargo test --locked --no-fail-fast
step "configurations" configurations
step "configurations on pages" pages
step "results" results
step "seeds" seeds
if "$PYTHON" -c 'import numpy, h5py' 2>/dev/null; then
    step "results read by other programs" "$PYTHON" scripts/check_results.py "$results"
    step "Python of README.md" readme_python
    step "bridge" bridge
    step "tutorials" tutorials
    step "jobs" env ISOCHRONE="$isochrone" "$PYTHON" tests/jobs/check.py
    if [[ -f ../shared/contract/check.py ]]; then
        step "interface contract" \
            "$PYTHON" ../shared/contract/check.py "$isochrone" eikonal gradient invert fk errors
    else
        skip "interface contract" "there is no ../shared/contract/check.py here"
    fi
else
    skip "results read by other programs, Python of README.md, bridge, tutorials, jobs, interface contract" "numpy and h5py are not installed"
fi

printf '\n'
if ((${#failed[@]})); then
    printf 'scripts/test.sh: FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "scripts/test.sh: everything passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
