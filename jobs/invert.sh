#!/usr/bin/env bash
# Conductivities from activation times. Stopped before the time limit with the iterations it has, it
# goes back into the queue until it is done.
#
#     sbatch jobs/invert.sh config/invert-biventricle-21.toml --output results/gamma
#     qsub -v ARGS="config/invert-biventricle-21.toml --output results/gamma" jobs/invert.sh
#     RANKS=4 THREADS=2 jobs/invert.sh config/invert-biventricle-21.toml --output results/gamma
#
# site {
#SBATCH --nodes=2 --ntasks-per-node=4 --cpus-per-task=8
#SBATCH --time=04:00:00
#PBS -l select=2:ncpus=32:mpiprocs=4:ompthreads=8
#PBS -l walltime=04:00:00
# site }
#SBATCH --job-name=invert --output=%x-%j.log --exclusive --threads-per-core=1 --ignore-pbs
#SBATCH --signal=USR1@300 --requeue --open-mode=append
#PBS -N invert -j oe -S /bin/bash -l place=scatter:excl
job=invert
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
run invert "$@"
