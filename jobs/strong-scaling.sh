#!/usr/bin/env bash
# Strong scaling: the same case on 1, 2, 4, … ranks, up to those of the job (or on $POINTS ranks).
#
#     sbatch jobs/strong-scaling.sh eikonal config/eikonal-biventricle.toml --set mesh.generate.edge=1
#     qsub -v ARGS="eikonal config/eikonal-biventricle.toml" jobs/strong-scaling.sh
#     POINTS="1 2" THREADS=1 jobs/strong-scaling.sh eikonal config/eikonal-biventricle.toml
#
# Each point leaves its report.json in $OUTPUT/RANKSxTHREADS (results/strong-scaling/4x8). Points that
# an earlier job finished are not done again.
#
# site {
#SBATCH --nodes=4 --ntasks-per-node=4 --cpus-per-task=8
#SBATCH --time=01:00:00
#PBS -l select=4:ncpus=32:mpiprocs=4:ompthreads=8
#PBS -l walltime=01:00:00
# site }
#SBATCH --job-name=strong-scaling --output=%x-%j.log --exclusive --threads-per-core=1 --ignore-pbs
#SBATCH --signal=USR1@300 --requeue --open-mode=append
#PBS -N strong-scaling -j oe -S /bin/bash -l place=scatter:excl
job=strong-scaling
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
for n in $(points); do
    point "$n" "$threads" "$@"
done
