#!/usr/bin/env bash
# Checks and measures siloscope on a GPU, and prints the tables of docs/performance.md.
#
#   benches/gpu.sh [--device cuda] [--dry] [--out DIR]     builds here, then checks and measures
#   benches/gpu.sh pack FILE.tar.xz               builds here and packs all that a machine without cargo or network needs
#   benches/gpu.sh --from FILE.tar.xz [--device cuda] …    unpacks, then checks and measures
#
# --device D  as a scenario names it: cuda, cuda:1, vulkan; cpu takes backend = "burn", to try the bench without a GPU
# --dry       small sizes and the development build: does the bench work? Its figures are worth nothing
# --out DIR   where the figures go (figures.json, report.md); default: gpu-figures
# PYTHON=…    the Python that has PyTorch (default: python3); without PyTorch its columns stay empty
#
# Needed: Python 3.11 or newer; for PyTorch's columns torch, numpy, scipy. For CUDA: driver, NVRTC, headers (docs/deployment.md).
# Takes less than eight minutes: every section has a time limit, and one that fails takes no other with it. Exit codes: 0 all
# checks passed, 1 a check failed or a section did not end well, 2 usage. A missed target is no failure.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
python=${PYTHON:-python3}
device=cuda dry='' from='' pack='' out=gpu-figures

usage() {
    echo "$1" >&2
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$here/gpu.sh" >&2
    exit 2
}
value() { [ $# -ge 2 ] || usage "$1 needs a value"; }
if [ "${1:-}" = pack ]; then
    value "$@"
    pack=$2
    shift 2
fi
while [ $# -gt 0 ]; do
    case $1 in
        --device) value "$@"; device=$2; shift 2 ;;
        --from) value "$@"; from=$2; shift 2 ;;
        --out) value "$@"; out=$2; shift 2 ;;
        --dry) dry=--dry; shift ;;
        -h | --help) usage "benches/gpu.sh" ;;
        *) usage "$1 is no option" ;;
    esac
done
case $device in
    cpu | vulkan | cuda | cuda:[0-9]*) ;;
    *) usage "--device $device: cpu, vulkan, cuda, cuda:1, … are allowed" ;;
esac
[ -z "$from" ] || [ -f "$from" ] || usage "--from $from: there is no such file"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# features DEVICE: the features of a build for it.
features() {
    case $1 in
        cuda*) echo siloscope-simulator/cuda ;;
        vulkan) echo siloscope-simulator/vulkan ;;
        cpu) ;;
    esac
}

# build FOLDER FEATURES VERB TARGET…: what cargo builds goes there, tests into a folder of their own.
build() {
    local folder=$1 features=$2 verb=$3 profile=()
    shift 3
    [ -n "$dry" ] || profile=(--release)
    mkdir -p "$folder/tests"
    # Bindings for CUDA 13.0, which every driver of that generation knows.
    (cd "$root" && CUDARC_CUDA_VERSION=${CUDARC_CUDA_VERSION:-13000} cargo "$verb" --locked "${profile[@]}" \
        -p siloscope-simulator -p siloscope-training --features "$features" "$@" \
        --message-format json-render-diagnostics) > "$work/messages"
    python3 - "$work/messages" "$folder" "$verb" <<'PY'
import json, pathlib, shutil, subprocess, sys
messages, folder, verb = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
kinds = {"build": ("bin", "example"), "test": ("lib", "test")}[verb]
for line in open(messages):
    message = json.loads(line)
    if message["reason"] != "compiler-artifact" or not message["executable"]:
        continue
    # Other crates have tests of the same names.
    ours = verb == "build" or message["manifest_path"].endswith("crates/training/Cargo.toml")
    if ours and message["target"]["kind"][0] in kinds:
        place = folder / ("tests" if verb == "test" else ".") / message["target"]["name"]
        shutil.copy(message["executable"], place)
        subprocess.run(["strip", place], check=False)
PY
}

# build_all FOLDER DEVICE: the product, the steps, and the tests that compute on a device.
build_all() {
    build "$1" "$(features "$2")" build --bin siloscope --example device_steps
    build "$1" "$(features "$2")" test --no-run --lib --test gradients --test guarantees --test stacked
}

if [ -n "$pack" ]; then
    [ "$device" != cpu ] || usage "pack is for a GPU: --device cuda or --device vulkan"
    folder=$work/siloscope-gpu
    mkdir -p "$folder/benches/dpsgd" "$folder/site"
    cp -r "$here/gpu" "$here/gpu.sh" "$folder/benches"
    cp "$here/dpsgd/networks.py" "$folder/benches/dpsgd"
    rm -rf "$folder/benches/gpu/__pycache__"
    # Opacus and the one of its needs that few have; the others come with PyTorch or are too large.
    "$python" -m pip download --quiet --no-deps --dest "$work/wheels" "$(grep '^opacus==' "$here/dpsgd/requirements.txt")" opt-einsum
    for wheel in "$work"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$folder/site"; done
    build_all "$folder/binaries" "$device"
    # A dictionary as long as all of it: the binaries have most of their code in common.
    tar -C "$work" -c siloscope-gpu | xz --lzma2=preset=6,dict=384MiB > "$pack"
    (cd "$folder/binaries" && du -h --apparent-size siloscope device_steps* tests/*)
    echo "$pack: $(($(stat -c %s "$pack") / 1024)) KiB"
    exit 0
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
if [ -n "$from" ]; then
    # Python's own: not every machine has xz.
    "$python" -m tarfile --filter data -e "$from" "$work"
    root=$work/siloscope-gpu
    here=$root/benches
fi
binaries=$root/binaries
if [ -d "$binaries" ]; then
    export PYTHONPATH=$root/site${PYTHONPATH:+:$PYTHONPATH}
else
    binaries=$work/binaries
    build_all "$binaries" "$device"
fi

# NVRTC and the headers, where no toolkit is installed, are those that came with PyTorch.
if [[ $device = cuda* ]]; then
    for folder in "${CUDA_PATH:-/usr/local/cuda}"/lib64 $("$python" - <<'PY'
import pathlib, sysconfig
print(*pathlib.Path(sysconfig.get_paths()["purelib"]).glob("nvidia/cu13/lib"))
PY
    ); do
        if ! PATH=$PATH:/sbin ldconfig -p | grep libnvrtc.so > /dev/null && compgen -G "$folder/libnvrtc.so*" > /dev/null; then
            export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
            [ -e "${CUDA_PATH:-/usr/local/cuda}/include/cuda_runtime.h" ] || export CUDA_PATH=${folder%/lib*}
            break
        fi
    done
fi

# Kernels that one process has compiled and chosen are there for the next.
cd "$work"
cat > cubecl.toml <<TOML
[compilation]
cache = { file = "$work/kernels" }
[autotune]
cache = { file = "$work/kernels" }
TOML

ends=()
# section NAME SECONDS: runs it, and keeps how it ended. A dry run may be on a slow machine.
section() {
    local name=$1 seconds=$(($2 * (${#dry} > 0 ? 4 : 1))) begun=$SECONDS code=0
    timeout --kill-after=5 "$seconds" "$python" "$here/gpu/${name//-/_}.py" --binaries "$binaries" --figures "$work/figures.jsonl" \
        --device "$device" --seconds $((seconds - 3)) $dry || code=$?
    echo "$name: exit code $code after $((SECONDS - begun)) s" >&2
    ends+=("$name=$code")
}
section machine 25
section device-tests 120
section protections 70
section workloads 130
section stacks 35
section shadows 80
"$python" "$here/gpu/tables.py" "$work/figures.jsonl" "$out/figures.json" "${ends[@]}" | tee "$out/report.md"
