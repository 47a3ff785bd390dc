#!/usr/bin/env bash
# Activation times from sources.
#
#     sbatch jobs/eikonal.sh config/eikonal-biventricle.toml --output results/times
#     qsub -v ARGS="config/eikonal-biventricle.toml --output results/times" jobs/eikonal.sh
#     RANKS=4 THREADS=2 jobs/eikonal.sh config/eikonal-biventricle.toml --output results/times
#
# A solution keeps nothing half-way, so it asks for no signal before the time limit.
#
# site {
#SBATCH --nodes=1 --ntasks-per-node=4 --cpus-per-task=8
#SBATCH --time=00:30:00
#PBS -l select=1:ncpus=32:mpiprocs=4:ompthreads=8
#PBS -l walltime=00:30:00
# site }
#SBATCH --job-name=eikonal --output=%x-%j.log --exclusive --threads-per-core=1 --ignore-pbs
#PBS -N eikonal -j oe -S /bin/bash -l place=scatter:excl
job=eikonal
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
walltime= # no signal
run eikonal "$@"
