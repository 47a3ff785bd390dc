#!/usr/bin/env bash
# Any command on GPUs, one rank for each; the ranks of a node take its GPUs in turn.
#
#     sbatch jobs/gpu.sh fk config/fk-gpu.toml --output results/gpu
#     qsub -v ARGS="fk config/fk-gpu.toml --output results/gpu" jobs/gpu.sh
#     RANKS=1 jobs/gpu.sh fk config/fk-gpu.toml --output results/gpu
#
# Without a GPU it is refused; with --device auto it goes on on processors.
#
# site {
#SBATCH --nodes=1 --ntasks-per-node=4 --cpus-per-task=8
#SBATCH --gpus-per-node=4
#SBATCH --time=04:00:00
#PBS -l select=1:ncpus=32:mpiprocs=4:ompthreads=8:ngpus=4
#PBS -l walltime=04:00:00
# site }
#SBATCH --job-name=gpu --output=%x-%j.log --exclusive --threads-per-core=1 --ignore-pbs
#SBATCH --signal=USR1@300 --requeue --open-mode=append
#PBS -N gpu -j oe -S /bin/bash -l place=scatter:excl
job=gpu
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
[[ " $* " == *" --device "* ]] || set -- "$@" --device cuda
run "$@"
