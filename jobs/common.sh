# Read by the job scripts, which set `job`: what Slurm, PBS Pro and a plain machine call differently.
# shellcheck shell=bash
#
#     ranks, threads, per_node   what the job was given: ranks, threads of a rank, ranks on a node
#     launch, run, point         see below
#
# The scheduler's variables choose these defaults only; the program asks MPI for its ranks.
set -euo pipefail
: "${job:?}"

# site {
# The modules that the program was built with:
# module load gcc openmpi hdf5
# How Slurm starts MPI (srun --mpi=list):
export SLURM_MPI_TYPE=${SLURM_MPI_TYPE:-pmix}
# Resources that a job asks for from PBS, in the scripts or on the command line:
resources=(select place walltime)
# site }

# Slurm and PBS run a copy of the script elsewhere, hence not the script's own folder.
jobs=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# An attribute of this job from `qstat -f`, which folds long lines; nothing if it has none.
pbs() { qstat -f "$PBS_JOBID" | sed -e ':a' -e 'N;$!ba' -e 's/\n\t//g' | sed -n "s/^ *$1 = //p" || true; }

# Processors that this script may use, and its cores (two processors each with simultaneous threads).
cpus=$(OMP_NUM_THREADS='' nproc)
cores=$(lscpu -p=CORE,SOCKET | grep -v '^#' | sort -u | wc -l) || cores=0
((cores > 0 && cores < cpus)) || cores=$cpus

walltime= # seconds from the start of the script, where it has to send the signal itself
if [[ -n ${SLURM_JOB_ID:-} ]]; then
    scheduler=slurm restarts=${SLURM_RESTART_COUNT:-0} task=${SLURM_ARRAY_TASK_ID:-}
    ranks=${SLURM_NTASKS:-1} nodes=${SLURM_JOB_NUM_NODES:-1} threads=${SLURM_CPUS_PER_TASK:-1}
elif [[ -n ${PBS_JOBID:-} ]]; then
    scheduler=pbs restarts=${ISOCHRONE_RESTARTS:-0} task=${PBS_ARRAY_INDEX:-}
    ranks=$(wc -l <"$PBS_NODEFILE") nodes=$(sort -u "$PBS_NODEFILE" | wc -l) threads=${OMP_NUM_THREADS:-1}
    IFS=: read -r hours minutes seconds <<<"$(pbs Resource_List.walltime)"
    if [[ -n $hours ]]; then
        walltime=$((10#$hours * 3600 + 10#$minutes * 60 + 10#$seconds))
    else
        echo "$job: qstat tells no time limit, so nothing will be kept when it is over" >&2
    fi
    cd "$PBS_O_WORKDIR"
else
    scheduler=none restarts=0 task=${TASK:-} nodes=1
    # One rank per NUMA domain.
    ranks=${RANKS:-$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l || true)}
    ((ranks)) || ranks=1
    threads=${THREADS:-$((cores / ranks))}
    ((threads)) || threads=1
    walltime=${MINUTES:+$((MINUTES * 60))}
fi
per_node=$(((ranks + nodes - 1) / nodes))

isochrone=${ISOCHRONE:-$jobs/../target/release/isochrone}
[[ -x $isochrone ]] || isochrone=$(command -v "${ISOCHRONE:-isochrone}") || {
    echo "$job: no program isochrone: build it (scripts/setup.sh, cargo build --release) or set ISOCHRONE" >&2
    exit 66
}

# PBS Pro takes no arguments for a script.
if (($# == 0)); then
    read -ra words <<<"${ARGS:-}"
    set -- "${words[@]}"
fi

# How mpirun places `$1` ranks on each node and binds their `$2` threads. As variables, so that other
# MPIs take the same command line. A rank keeps cores to itself only where the ranks fill the node:
# else two jobs there might be bound to the same ones, or threads outnumber cores.
binding() {
    local unit=none map=ppr:$1:node
    if (($1 * $2 == cores)); then unit=core; fi
    if ((cpus > cores && $1 * $2 == cpus)); then unit=hwthread; fi
    # Without, Open MPI takes a node that is named once for one of as many slots as it has cores.
    export OMPI_MCA_rmaps_base_mapping_policy=$map PRTE_MCA_rmaps_default_mapping_policy=$map:oversubscribe
    export OMPI_MCA_hwloc_base_binding_policy=$unit PRTE_MCA_hwloc_default_binding_policy=$unit
    # More ranks than cores; then one that waits lets others use its core.
    export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
    if [[ $unit != none ]]; then
        export OMPI_MCA_rmaps_base_mapping_policy=$map:PE=$2 PRTE_MCA_rmaps_default_mapping_policy=$map:PE=$2
        export OMPI_MCA_mpi_yield_when_idle=0
    fi
    if [[ $unit == hwthread ]]; then
        export OMPI_MCA_hwloc_base_use_hwthreads_as_cpus=1 PRTE_MCA_rmaps_default_mapping_policy=$map:PE=$2:HWTCPUS
    fi
}

# launch RANKS THREADS ARGUMENTS...: runs the program; its exit code. In a shell of its own, for the
# variables of binding.
launch() (
    local n=$1 t=$2 here=$(($1 < per_node ? $1 : per_node)) before=()
    shift 2
    set -- "$isochrone" "$@" --threads "$t"
    if [[ $scheduler == slurm ]]; then
        # Slurm itself sends the signal (#SBATCH --signal). Each rank gets whole cores.
        srun --nodes=$(((n + per_node - 1) / per_node)) --ntasks="$n" --ntasks-per-node="$here" \
            --cpus-per-task="$t" --cpu-bind=cores "$@" </dev/null
        return
    fi
    binding "$here" "$t"
    if [[ -n $walltime ]]; then
        # The signal five minutes before the limit, or after nine tenths of it.
        local left=$((walltime - (walltime < 3000 ? walltime / 10 : 300) - SECONDS))
        ((left > 0)) || return 75
        # mpirun passes SIGUSR1 on to the ranks. In the foreground: else they would get it twice.
        before=(timeout --foreground --preserve-status --signal=USR1 "$left")
    fi
    [[ $scheduler == none ]] || set -- -machinefile "$PBS_NODEFILE" "$@"
    "${before[@]}" mpirun -n "$n" "$@" </dev/null
)

# Puts this job back into the queue, at most 50 times.
requeue() {
    local again=(true) name value names=()
    if ((restarts >= 50)); then
        echo "$job: stopped after $restarts restarts; submit it again to go on" >&2
        return
    fi
    case $scheduler in
    none) echo "$job: stopped; the same command goes on from there" >&2 ;;
    slurm) again=(scontrol requeue "$SLURM_JOB_ID") ;;
    pbs)
        # qrerun is for operators, so the same script is submitted once more, with the same means.
        export ISOCHRONE_RESTARTS=$((restarts + 1))
        for name in ARGS OUTPUT KEY VALUES POINTS SIZE "${!ISOCHRONE@}"; do
            [[ -z ${!name+set} ]] || names+=("$name")
        done
        again=(qsub -v "$(IFS=, && echo "${names[*]}")")
        for name in "${resources[@]}"; do
            value=$(pbs "Resource_List.$name")
            [[ -z $value ]] || again+=(-l "$name=$value")
        done
        value=$(pbs Account_Name)
        [[ -z $value ]] || again+=(-A "$value")
        [[ -z ${PBS_O_QUEUE:-} ]] || again+=(-q "$PBS_O_QUEUE")
        # An array of this index alone: PBS wants the end beyond the start.
        [[ -z $task ]] || again+=(-J "$task-$((task + 1)):2")
        again+=("$jobs/$job.sh")
        ;;
    esac
    "${again[@]}" || echo "$job: could not be put back into the queue: submit it again" >&2
}

# run COMMAND ARGUMENTS...: a run that goes on where an earlier one was stopped. Ends the job.
run() {
    local code=0
    launch "$ranks" "$threads" "$@" --resume || code=$?
    ((code != 75)) || requeue
    exit "$code"
}

# point RANKS THREADS COMMAND ARGUMENTS...: one point of a scaling study, in $OUTPUT/RANKSxTHREADS.
# A point that was stopped starts afresh, or its times would be those of the rest only. Ends the job
# if it fails.
finished=0
point() {
    local code=0 folder=${OUTPUT:-results/$job}/$1x$2
    [[ ! -d $folder ]] || return 0 # by an earlier job
    launch "$@" --output "$folder.unfinished" --overwrite || code=$?
    if ((code == 0)); then
        mv "$folder.unfinished" "$folder"
        finished=$((finished + 1))
        return
    fi
    # Commands without checkpoints die of SIGUSR1 (138). Not again if one point takes longer than a
    # job may.
    if ((finished && (code == 75 || code == 138))); then requeue; fi
    exit "$code"
}

# Powers of two up to the ranks of the job, and those; or $POINTS.
points() {
    local n
    if [[ -n ${POINTS:-} ]]; then
        echo "$POINTS"
        return
    fi
    for ((n = 1; n < ranks; n *= 2)); do echo "$n"; done
    echo "$ranks"
}
