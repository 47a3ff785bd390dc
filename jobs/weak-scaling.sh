#!/usr/bin/env bash
# Weak scaling: a case that grows with the ranks, on 1, 2, 4, … up to those of the job (or $POINTS).
# SIZE says how large it is for one rank:
# - `fk`: shape of the grid; the first axis grows. Default 1024,1024.
# - `eikonal`, `gradient`, `invert`: edge of the generated mesh, mm; its cube shrinks. Default 3.
#
#     sbatch jobs/weak-scaling.sh fk config/fk-planar.toml
#     SIZE=2 sbatch jobs/weak-scaling.sh eikonal config/eikonal-biventricle.toml
#     qsub -v ARGS="fk config/fk-planar.toml" jobs/weak-scaling.sh
#     POINTS="1 2" THREADS=1 jobs/weak-scaling.sh fk config/fk-planar.toml
#
# Each point leaves its report.json in $OUTPUT/RANKSxTHREADS (results/weak-scaling/4x8). Points that
# an earlier job finished are not done again.
#
# site {
#SBATCH --nodes=4 --ntasks-per-node=4 --cpus-per-task=8
#SBATCH --time=01:00:00
#PBS -l select=4:ncpus=32:mpiprocs=4:ompthreads=8
#PBS -l walltime=01:00:00
# site }
#SBATCH --job-name=weak-scaling --output=%x-%j.log --exclusive --threads-per-core=1 --ignore-pbs
#SBATCH --signal=USR1@300 --requeue --open-mode=append
#PBS -N weak-scaling -j oe -S /bin/bash -l place=scatter:excl
job=weak-scaling
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
for n in $(points); do
    if [[ ${1:-} == fk ]]; then
        size=${SIZE:-1024,1024}
        size=fk.grid.shape=[$((${size%%,*} * n)),${size#*,}]
    else
        size=mesh.generate.edge=$(awk "BEGIN { print ${SIZE:-3} / $n ^ (1 / 3) }")
    fi
    point "$n" "$threads" "$@" --set "$size"
done
