#!/usr/bin/env bash
# One run for each value of a parameter, in $OUTPUT/KEY=VALUE. Here: parameter sets of the model.
#
#     sbatch jobs/array.sh fk config/fk-planar.toml
#     KEY=fk.diffusivity VALUES="0.05 0.1 0.2" sbatch --array=0-2 jobs/array.sh fk config/fk-planar.toml
#     qsub -v ARGS="fk config/fk-planar.toml" jobs/array.sh
#     TASK=2 jobs/array.sh fk config/fk-planar.toml           # one machine: the third value
#
# As many indices, from 0, as there are values.
#
# site {
#SBATCH --array=0-3
#SBATCH --nodes=1 --ntasks-per-node=1 --cpus-per-task=8
#SBATCH --time=01:00:00
#PBS -J 0-3
#PBS -l select=1:ncpus=8:mpiprocs=1:ompthreads=8
#PBS -l walltime=01:00:00
# site }
#SBATCH --job-name=array --output=%x-%A_%a.log --threads-per-core=1 --ignore-pbs
#SBATCH --signal=USR1@300 --requeue --open-mode=append
#PBS -N array -j oe -S /bin/bash
job=array
# shellcheck source=common.sh
source "${ISOCHRONE_JOBS:-${SLURM_SUBMIT_DIR:-${PBS_O_WORKDIR:-$(dirname "$0")/..}}/jobs}/common.sh"
key=${KEY:-fk.parameters}
read -ra values <<<"${VALUES:-3 4B 6 8}"
value=${values[${task:?set TASK to the number of the value, from 0}]:?there are only ${#values[@]} values}
run "$@" --set "$key=$value" --output "${OUTPUT:-results/array}/$key=${value//\//_}"
