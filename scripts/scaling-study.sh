#!/usr/bin/env bash
# A scaling study: one configuration on every pair of these ranks and threads, then table and pictures.
#
#     scripts/scaling-study.sh config/invert-biventricle-21.toml --ranks 1,2,4 --threads 1,2
#     scripts/scaling-study.sh config/fk-planar.toml --ranks 1,2 --threads 1 --weak --size 512,512
#     scripts/scaling-study.sh config/fk-heart.toml --ranks 4,8,16 --threads 8 --submit --per-node 4
#
# --command NAME   of isochrone [fk where the configuration has [fk], invert with [inversion], else eikonal]
# --weak           the case grows with ranks × threads; --size: of one processor, as SIZE of jobs/weak-scaling.sh
# --repeats N      runs of each pair, of which the fastest counts [1]
# --output DIR     [results/scaling-study/NAME-strong, or -weak]
# --submit         a job for each pair, by sbatch or qsub; --per-node N: ranks on a node [1]
#
# What stands behind -- goes to isochrone: -- --set mesh.generate.edge=1. The points are run by the
# scripts of jobs/, which know machine and scheduler; those that are there are not run again.
set -euo pipefail

usage() {
    echo "scaling-study: $1; see the head of scripts/scaling-study.sh" >&2
    exit 2
}

config='' ranks=1 threads=1 kind=strong size='' command='' repeats=1 output='' submit='' per_node=1
while (($#)); do
    case $1 in
    --ranks | --threads | --size | --command | --repeats | --output | --per-node)
        (($# > 1)) || usage "$1 wants a value"
        name=${1#--}
        declare "${name//-/_}=$2"
        shift
        ;;
    --weak) kind=weak ;;
    --submit) submit=yes ;;
    --)
        shift
        break
        ;;
    -*) usage "unknown option $1" ;;
    *)
        [[ -z $config ]] || usage "one configuration, not also $1"
        config=$1
        ;;
    esac
    shift
done
[[ -n $config ]] || usage "a configuration is missing"
[[ -r $config ]] || {
    echo "scaling-study: $config: no such file" >&2
    exit 66
}
IFS=, read -ra ranks <<<"$ranks"
IFS=, read -ra threads <<<"$threads"
for n in "${ranks[@]}" "${threads[@]}" "$repeats" "$per_node"; do
    [[ $n =~ ^[1-9][0-9]*$ ]] || usage "$n is no number from 1"
done

if [[ -z $command ]]; then
    command=eikonal
    if grep -q '^ *\[inversion\]' "$config"; then command=invert; fi
    if grep -q '^ *\[fk\]' "$config"; then command=fk; fi
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${output:=results/scaling-study/$(basename "$config" .toml)-$kind}"
job=$root/jobs/$kind-scaling.sh
export ISOCHRONE_JOBS=$root/jobs
isochrone=${ISOCHRONE:-$root/target/release/isochrone}
[[ -x $isochrone ]] || isochrone=$(command -v "${ISOCHRONE:-isochrone}") || {
    echo "scaling-study: no program isochrone: build it (cargo build --release) or set ISOCHRONE" >&2
    exit 66
}
export ISOCHRONE=$isochrone

# SIZE of one rank, for $1 threads each: the scripts of jobs/ grow the case with the ranks alone.
size_of_rank() {
    if [[ $command == fk ]]; then
        local of=${size:-1024,1024}
        echo "$((${of%%,*} * $1)),${of#*,}"
    else
        awk "BEGIN { print ${size:-3} / $1 ^ (1 / 3) }"
    fi
}

for ((i = 1; i <= repeats; i++)); do
    for t in "${threads[@]}"; do
        export OUTPUT=$output/run-$i SIZE
        SIZE=$(size_of_rank "$t")
        if [[ -z $submit ]]; then
            most=$(printf '%s\n' "${ranks[@]}" | sort -n | tail -n 1)
            RANKS=$most THREADS=$t POINTS="${ranks[*]}" "$job" "$command" "$config" "$@"
            continue
        fi
        for r in "${ranks[@]}"; do
            here=$((r < per_node ? r : per_node)) nodes=$(((r + per_node - 1) / per_node))
            export POINTS=$r
            if command -v sbatch >/dev/null; then
                sbatch --nodes="$nodes" --ntasks-per-node="$here" --cpus-per-task="$t" \
                    --job-name="$kind-$r-$t" "$job" "$command" "$config" "$@"
            elif command -v qsub >/dev/null; then
                # A comma ends a variable of qsub -v: ARGS and SIZE go by the environment.
                export ARGS="$command $config $*"
                qsub -v ARGS,OUTPUT,SIZE,POINTS,ISOCHRONE,ISOCHRONE_JOBS -N "$kind-$r-$t" \
                    -l "select=$nodes:ncpus=$((here * t)):mpiprocs=$here:ompthreads=$t" "$job"
            else
                echo "scaling-study: --submit: neither sbatch nor qsub is in PATH" >&2
                exit 66
            fi
        done
    done
done
if [[ -n $submit ]]; then
    echo "when the jobs are done: isochrone scaling $output"
else
    "$isochrone" scaling "$output" --overwrite
fi
