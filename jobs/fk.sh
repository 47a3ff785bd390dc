#!/usr/bin/env bash
# A simulation of waves. Stopped before the time limit with a checkpoint, it goes back into the queue
# until it is done.
#
#     sbatch jobs/fk.sh config/fk-heart.toml --output results/heart                # Slurm
#     qsub -v ARGS="config/fk-heart.toml --output results/heart" jobs/fk.sh        # PBS Pro
#     RANKS=4 THREADS=2 jobs/fk.sh config/fk-heart.toml --output results/heart     # one machine
#
# One rank per socket or NUMA domain, with as many threads as it has cores.
#
# site {
#SBATCH --nodes=2 --ntasks-per-node=4 --cpus-per-task=8
#SBATCH --time=04:00:00
#PBS -l select=2:ncpus=32:mpiprocs=4:ompthreads=8
#PBS -l walltime=04:00:00
# site }
#SBATCH --job-name=fk --output=%x-%j.log --exclusive --threads-per-core=1 --ignore-pbs
#SBATCH --signal=USR1@300 --requeue --open-mode=append
#PBS -N fk -j oe -S /bin/bash -l place=scatter:excl
job=fk
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
run fk "$@"
