#!/usr/bin/env bash
# Runs a case on one machine.
#
#     RANKS=4 THREADS=2 jobs/mpirun.sh invert config/invert-biventricle-21.toml --output results/run1
#
# RANKS and THREADS (per rank) may be left out: 2 ranks that share the machine's cores.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

ranks=${RANKS:-2}
threads=${THREADS:-$(($(nproc) / ranks))}
((threads)) || threads=1

# For Open MPI: ranks may outnumber cores, their threads spread over all of them, and a rank that
# waits lets others use its core.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_mpi_yield_when_idle=1
export PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none

exec mpirun -n "$ranks" "$root/target/release/isochrone" "$@" --threads "$threads"
