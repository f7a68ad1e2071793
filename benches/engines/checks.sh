# What both engines are asked: sourced by run-slurm and run-hq, which set $siloscope, $out and $engine.

# Waits, for at most $1 seconds, until the command that follows succeeds.
await() {
    local seconds=$1
    shift
    for _ in $(seq $((seconds * 5))); do
        if "$@"; then return 0; fi
        sleep 0.2
    done
    echo "not within $seconds s: $*" >&2
    return 1
}

id_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[int(sys.argv[2])]["id"])' "$out/sweeps/engines/tasks.json" "$1"; }
done_tasks() { find "$out/sweeps/engines/runs" -name report.json 2>/dev/null | wc -l; }
all_done() { [ "$(done_tasks)" = 6 ]; }
# A task that has finished a few of its rounds and not all.
under_way() { [ "$(ls "$out/sweeps/engines/runs/$1/checkpoints" 2>/dev/null | wc -l)" -gt 5 ] && [ ! -e "$out/sweeps/engines/runs/$1/report.json" ]; }
pid_of() { pgrep -f -- "^$siloscope run --task $out/sweeps/engines/tasks.json:$1 "; }

submit() { "$siloscope" sweep submit engines --engine "$engine" "$@"; }

# The same tasks by the local pool, elsewhere.
by_the_pool() {
    mkdir -p "$out/pool"
    (cd "$out/pool" && "$siloscope" sweep run "$out/sweep.toml" -q)
}

# Every lasting file of every run is what the pool has made.
same_bytes() {
    diff -r -x timings.jsonl -x origin.json -x .lock "$out/pool/sweeps/engines/runs" "$out/sweeps/engines/runs"
    echo "$(find "$out/sweeps/engines/runs" -type f | wc -l) files of 6 runs are equal byte for byte to those of the local pool"
}
