# Read by the other scripts (`source scripts/environment.sh`), from any folder.
# Goes to the repository's root and sets PATH, PYTHON and what MPI needs on one machine.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# rustup leaves cargo here; a shell that is older than the installation does not know it yet.
if [[ -d ${CARGO_HOME:-$HOME/.cargo}/bin ]]; then
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
fi

PYTHON=python3
if [[ -x .venv/bin/python ]]; then
    PYTHON=.venv/bin/python
fi
export PATH PYTHON

# NVIDIA's compiler for kernels and its assembler, where scripts/setup.sh put them: the test `cuda`
# takes them. A program with a GPU finds the NVRTC of its CUDA without.
for tool in NVRTC=cuda_nvrtc/lib/libnvrtc.so.12 PTXAS=cuda_nvcc/bin/ptxas; do
    for file in .venv/lib/python3*/site-packages/nvidia/"${tool#*=}"; do
        [[ -e $file ]] && export "ISOCHRONE_${tool%%=*}=$PWD/$file"
    done
done
unset tool file

# Open MPI refuses root, and more ranks than cores, and ties each of two ranks to one core, where
# its threads would share that core; a rank that waits would keep the core from others. As
# variables, so that other MPIs take the same command line.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_mpi_yield_when_idle=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none
