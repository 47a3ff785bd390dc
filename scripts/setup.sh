#!/usr/bin/env bash
# Makes a machine ready to build isochrone. Says nothing when everything is there.
#
#     scripts/setup.sh
#
# Debian or Ubuntu as root: installs what is missing. Elsewhere: prints what is missing, exits 1.
# The Python packages (for scripts/check_results.py, and NVIDIA's compiler for the test of the
# kernels) go to .venv and are optional: where they cannot be had, a line says so and
# the set-up goes on.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

RUST=1.89 # rust-version in Cargo.toml

has() { command -v "$1" >/dev/null; }

has_rust() {
    has cargo && has rustc || return 1
    local version
    version=$(rustc --version | cut -d' ' -f2)
    [[ $(printf '%s\n' "$RUST" "$version" | sort -V | head -n1) == "$RUST" ]]
}

# libclang.so comes with the headers that bindgen needs; libclang.so.1 alone does not.
has_libclang() {
    [[ -n ${LIBCLANG_PATH:-} ]] ||
        compgen -G '/usr/lib*/llvm*/lib*/libclang.so' >/dev/null ||
        compgen -G '/usr/lib*/libclang.so' >/dev/null ||
        { has llvm-config && [[ -e $(llvm-config --libdir)/libclang.so ]]; }
}

has_hdf5() {
    [[ -n ${HDF5_DIR:-} ]] || { has pkg-config && pkg-config --exists hdf5; } || has h5cc
}

# What the build needs: Debian package, what it is, how to see that it is there.
packages=() missing=()
need() {
    local package=$1 what=$2
    shift 2
    if ! "$@"; then
        packages+=("$package")
        missing+=("$what (Debian: $package)")
    fi
}
look() {
    packages=() missing=()
    need build-essential "C and C++ compilers" has c++
    need cmake "CMake" has cmake
    need pkg-config "pkg-config" has pkg-config
    need libclang-dev "libclang (set LIBCLANG_PATH if it lies elsewhere)" has_libclang
    need libopenmpi-dev "MPI compiler wrapper mpicc" has mpicc
    need openmpi-bin "mpirun" has mpirun
    need libhdf5-dev "HDF5 library (set HDF5_DIR if it lies elsewhere)" has_hdf5
    has_rust || missing+=("Rust $RUST or newer with cargo (https://rustup.rs)")
}

look
if ((${#missing[@]})) && ((EUID == 0)) && has apt-get; then
    export DEBIAN_FRONTEND=noninteractive
    has_rust || has curl || packages+=(curl ca-certificates)
    has python3 && python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
    if ((${#packages[@]})); then
        echo "setup: installing ${packages[*]}"
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    fi
    if ! has_rust; then
        echo "setup: installing Rust with rustup"
        curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
            sh -s -- -y -q --profile minimal --component rustfmt --component clippy
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    fi
    look
fi
if ((${#missing[@]})); then
    {
        echo "setup: missing:"
        printf '  %s\n' "${missing[@]}"
        echo "As root on Debian or Ubuntu this script installs them; on a cluster, load their modules."
    } >&2
    exit 1
fi

# Optional: NVIDIA's compiler for kernels and its assembler, so that the test `cuda` compiles all of
# them for GPUs on machines without one. Pinned: a newer one may drop an old architecture.
CUDA_WHEELS=(nvidia-cuda-nvrtc-cu12==12.9.86 nvidia-cuda-nvcc-cu12==12.9.86)
cuda_ready() { [[ -n ${ISOCHRONE_NVRTC:-} && -n ${ISOCHRONE_PTXAS:-} ]]; }

# Optional: Python packages that read the results.
python_ready() { "$PYTHON" -c 'import numpy, h5py, vtkmodules' 2>/dev/null; }
if ! python_ready; then
    echo "setup: installing numpy, h5py and vtk into .venv"
    if python3 -m venv .venv &&
        .venv/bin/python -m pip install -q --retries 1 numpy h5py vtk; then
        PYTHON=.venv/bin/python
    fi
    python_ready || echo "setup: without them; only the checks of results need them" >&2
fi
if ! cuda_ready; then
    echo "setup: installing NVRTC and ptxas into .venv"
    { [[ -x .venv/bin/python ]] || python3 -m venv .venv; } &&
        .venv/bin/python -m pip install -q --retries 1 --no-deps "${CUDA_WHEELS[@]}" ||
        echo "setup: without them; the test that compiles kernels for GPUs is skipped" >&2
fi
