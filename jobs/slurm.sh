#!/usr/bin/env bash
# Submits a case to Slurm, from the folder with target/ and config/:
#
#     sbatch jobs/slurm.sh invert config/invert-biventricle-21.toml --output results/run1
#
# Change the lines below, or override them: sbatch --nodes=4 jobs/slurm.sh ...
#SBATCH --job-name=isochrone
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

# The modules that the program was built with, for example:
# module load gcc openmpi hdf5

threads=${SLURM_CPUS_PER_TASK:-1}
# Exit code 75 in the log: the run was stopped and kept what it had; submit it again with --resume.
exec srun --mpi=pmix --cpus-per-task="$threads" \
    target/release/isochrone "$@" --threads "$threads"
