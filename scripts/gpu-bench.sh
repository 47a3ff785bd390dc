#!/usr/bin/env bash
# Parity with the CPU and speed of everything that a GPU computes, with a given program.
#
#     scripts/gpu-bench.sh BINARY [--test TEST] [--sanitize] [--output results.json] [--quick]
#
# BINARY is an isochrone that was built with the feature cuda; TEST, the executable of the test `cuda`
# (`cargo test --release --test cuda --no-run` prints its name), runs every kernel beside its twin.
# Builds nothing. Prints a line per case and writes them as JSON; exit code 1 if parity does not hold
# or a case fails, 2 without a GPU. --sanitize: TEST also under compute-sanitizer (memcheck and
# racecheck). --quick: small cases, to try the script.
set -euo pipefail

usage() { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
binary='' test='' output=gpu-bench.json quick=0 sanitize=0 device=cuda
while (($#)); do
    case $1 in
    --test) test=$(realpath "$2"); shift ;;
    --output) output=$2; shift ;;
    --device) device=$2; shift ;; # to try the script on a machine without a GPU: cpu
    --quick) quick=1 ;;
    --sanitize) sanitize=1 ;;
    -*) usage ;;
    *) binary=$(realpath "$1") ;;
    esac
    shift
done
[[ -n $binary ]] || usage
output=$(realpath -m "$output")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=python3
[[ -x $here/.venv/bin/python ]] && python=$here/.venv/bin/python

"$binary" info
if [[ $device == cuda ]] && ! "$binary" info | grep -q 'cuda:[0-9]'; then
    echo "gpu-bench: there is no CUDA device here" >&2
    exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0
: >cases.jsonl

cat >fk.toml <<'END'
[fk]
parameters = "3"
grid = { shape = [256, 256], spacing = 0.25 }
diffusivity = 0.1
dt = 0.02
steps = 1000
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.05 }
duration = 2
END
cat >eikonal.toml <<'END'
[mesh]
generate = { kind = "ellipsoid", edge = 1.5 }
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }
[domains]
method = "metis"
count = 21
[[source]]
point = [0.0, 0.0, -50.0]
[inversion]
twin = { gamma = [
    1.0, 1.0, 0.2, 1.0, 1.0, 1.0, 0.2, 1.0, 1.0, 1.0, 0.2,
    1.0, 1.0, 1.0, 0.2, 1.0, 1.0, 1.0, 0.2, 1.0, 1.0,
] }
initial_gamma = 1.0
optimizer = "levenberg-marquardt"
stop = { misfit = 0.5, iterations = 20 }
END

# run FOLDER DEVICE COMMAND CONFIG [--set …]
run() {
    local folder=$1 on=$2
    shift 2
    "$binary" "$@" --device "$on" --output "$folder" --overwrite -q
}

# parity NAME TOLERANCE DATASET FILE COMMAND CONFIG [--set …]: largest difference, relative to the
# largest value.
parity() {
    local name=$1 tolerance=$2 dataset=$3 file=$4
    shift 4
    if ! run cpu cpu "$@" || ! run gpu "$device" "$@"; then
        printf '%-34s FAILED\n' "$name"
        failed=1
        return
    fi
    "$python" - "$name" "$tolerance" "$dataset" "$file" <<'END' || failed=1
import json, sys
name, tolerance, dataset, file = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4]
try:
    import h5py, numpy
except ImportError:
    print(f"{name:<34} NOT CHECKED: h5py is not installed")
    sys.exit(0)
a, b = (h5py.File(f"{on}/{file}")[dataset][()].astype(float) for on in ("cpu", "gpu"))
known = numpy.isfinite(a)
same = (known == numpy.isfinite(b)).all()
difference = numpy.abs(a - b)[known].max(initial=0.0) / numpy.abs(a[known]).max(initial=1e-300)
holds = bool(same and difference <= tolerance)
print(f"{name:<34} differs by {difference:.1e} (at most {tolerance:.0e}) {'' if holds else 'FAILED'}")
with open("cases.jsonl", "a") as out:
    print(json.dumps({"case": name, "difference": float(difference), "tolerance": tolerance, "holds": holds}), file=out)
sys.exit(0 if holds else 1)
END
}

# speed NAME KIND COMMAND CONFIG [--set …]: the best of three runs, from their reports.
speed() {
    local name=$1 kind=$2 i
    shift 2
    for i in 1 2 3; do
        if ! run "speed$i" "$device" "$@"; then
            printf '%-34s FAILED\n' "$name"
            failed=1
            return
        fi
    done
    "$python" - "$name" "$kind" <<'END'
import json, sys
name, kind = sys.argv[1], sys.argv[2]
reports = [json.load(open(f"speed{i}/report.json")) for i in (1, 2, 3)]
case = {"case": name, "device": reports[0]["device"]}
if kind == "fk":
    best = min(reports, key=lambda r: r["timings_s"]["step"])
    step, counters = best["timings_s"]["step"], best["counters"]
    case |= {"seconds": step, "steps": counters["steps"], "us_per_step": 1e6 * step / counters["steps"],
             "billion_cell_updates_per_s": counters["cell_updates"] / step / 1e9}
    text = f"{1e3 * step:10.2f} ms {case['us_per_step']:10.2f} us/step {case['billion_cell_updates_per_s']:8.2f} G cells/s"
elif kind == "invert":
    seconds = min(r["timings_s"]["inversion"] for r in reports)
    case |= {"seconds": seconds, "iterations": reports[0]["result"].get("iterations")}
    text = f"{seconds:10.3f} s"
else:
    best = min(reports, key=lambda r: r["timings_s"]["solve"])
    times = best["timings_s"]
    case |= {"solve_s": times["solve"], "adjoint_s": times.get("adjoint"), "tangent_s": times.get("tangent"),
             "tetrahedra": best["mesh"]["tetrahedra"]}
    text = f"{1e3 * times['solve']:10.2f} ms solve"
    for part in ("adjoint", "tangent"):
        if times.get(part):
            factor = 1 + times[part] / times["solve"]
            case["F_" + part] = factor
            text += f", F {part} {factor:.3f}"
print(f"{name:<34} {text}")
with open("cases.jsonl", "a") as out:
    print(json.dumps(case), file=out)
END
}

if [[ -n $test ]]; then
    echo "== every kernel beside its twin"
    "$test" --test-threads 1 || failed=1
    if ((sanitize)); then
        for tool in memcheck racecheck; do
            echo "== compute-sanitizer $tool"
            for part in fk::one_diffusivity fk::masked eikonal::ventricle; do
                compute-sanitizer --tool "$tool" --error-exitcode 1 "$test" --test-threads 1 "$part" ||
                    failed=1
            done
        done
    fi
fi

echo "== parity with the CPU"
small=()
((quick)) && small=(--set 'fk.grid.shape=[64,64]' --set fk.steps=200)
for precision in f64 f32; do
    tolerance=1e-8
    [[ $precision == f32 ]] && tolerance=1e-3
    p=(--set "fk.precision=$precision" "${small[@]}")
    parity "FK flux $precision" $tolerance /fk/u fk.h5 fk fk.toml "${p[@]}"
    parity "FK Heun $precision" $tolerance /fk/u fk.h5 fk fk.toml "${p[@]}" --set fk.integrator=heun
    parity "FK cardiax $precision" $tolerance /fk/u fk.h5 fk fk.toml "${p[@]}" --set fk.stencil=cardiax
done
parity "FK 3D f64" 1e-8 /fk/u fk.h5 fk fk.toml --set 'fk.grid.shape=[24,48,64]' --set fk.steps=200 \
    --set 'fk.diffusivity={fibre=0.1,sheet=0.05,normal=0.02}'
edge=3
((quick)) && edge=5
e=(--set "mesh.generate.edge=$edge")
parity "eikonal f64" 1e-10 /fields/activation_time eikonal.h5 eikonal eikonal.toml "${e[@]}"
parity "gradient f64" 1e-10 /gradient/gamma gradient.h5 gradient eikonal.toml "${e[@]}"
parity "Jacobian f64" 1e-10 /gradient/jacobian gradient.h5 gradient eikonal.toml "${e[@]}" \
    --set gradient.jacobian=true
parity "tensor f64" 1e-10 /gradient/tensor gradient.h5 gradient eikonal.toml "${e[@]}" \
    --set gradient.tensor=true

echo "== speed"
f=(--set fk.precision=f32)
if ((quick)); then
    speed "FK 2D f32 128^2" fk fk fk.toml "${f[@]}" --set 'fk.grid.shape=[128,128]'
    speed "eikonal and derivatives f64" gradient gradient eikonal.toml "${e[@]}" --set gradient.jacobian=true
    speed "inversion, 21 domains" invert invert eikonal.toml "${e[@]}"
else
    speed "FK 2D f32 8192^2" fk fk fk.toml "${f[@]}" --set 'fk.grid.shape=[8192,8192]'
    speed "FK 2D f32 1024^2" fk fk fk.toml "${f[@]}" --set 'fk.grid.shape=[1024,1024]'
    speed "FK 2D f32 64^2" fk fk fk.toml "${f[@]}" --set 'fk.grid.shape=[64,64]' --set fk.steps=20000
    speed "FK 2D f32 128^2" fk fk fk.toml "${f[@]}" --set 'fk.grid.shape=[128,128]' --set fk.steps=20000
    speed "FK 3D f32 512^3" fk fk fk.toml "${f[@]}" --set 'fk.grid.shape=[512,512,512]' --set fk.steps=200
    # About 3 million tetrahedra.
    large=(--set mesh.generate.edge=0.66)
    speed "eikonal f32, 3 million" eikonal eikonal eikonal.toml "${large[@]}" --set eikonal.precision=f32
    speed "eikonal f64, 3 million" eikonal eikonal eikonal.toml "${large[@]}"
    speed "gradient and Jacobian f32" gradient gradient eikonal.toml "${large[@]}" \
        --set eikonal.precision=f32 --set gradient.jacobian=true
    speed "inversion, 21 domains, f32" invert invert eikonal.toml "${large[@]}" --set eikonal.precision=f32
fi

"$python" - "$output" <<'END'
import json, sys
cases = [json.loads(line) for line in open("cases.jsonl")]
json.dump({"cases": cases}, open(sys.argv[1], "w"), indent=2)
END
echo "written to $output"
exit $failed
