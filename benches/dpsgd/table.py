"""Reads the lines of JSON that the engines print and writes the table with its ratios.

Milliseconds are of CPU time with one thread and of wall time with more; see steps.py.
"""

import json
import os
import sys

lines = [json.loads(line) for line in sys.stdin]
memory = {(l["workload"], l["kind"]): l for l in lines if "peak_mib" in l}
lines = [line for line in lines if "engine" in line]
times = {(l["workload"], l["engine"], l["kind"]): l for l in lines}
for line in lines:
    if "error" in line:
        print(f"{line['engine']} {line['kind']} on {line['workload']}: {line['error']}", file=sys.stderr)


def milliseconds(workload, engine, kind):
    return times.get((workload, engine, kind), {}).get("ms", float("nan"))


with open("/proc/cpuinfo") as info:
    processor = next(line.split(": ")[1].strip() for line in info if line.startswith("model name"))
print(f"{processor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {lines[0]['threads']} thread(s); milliseconds a step\n")
print("| workload | torch plain | Opacus hooks | Opacus ghost | plain | DP-SGD | to torch plain | to own plain | to Opacus |")
print("|---|---|---|---|---|---|---|---|---|")
for workload in sorted({line["workload"] for line in lines}):
    torch = milliseconds(workload, "torch", "plain")
    opacus = [milliseconds(workload, "opacus", kind) for kind in ("hooks", "ghost")]
    ours = [milliseconds(workload, "siloscope", kind) for kind in ("plain", "dp")]
    best = min((time for time in opacus if time == time), default=float("nan"))
    ratios = [ours[1] / torch, ours[1] / ours[0], ours[1] / best]
    cells = [f"{time:.2f}" if time == time else "fails" for time in [torch, *opacus, *ours]]
    print("| " + " | ".join([workload, *cells, *(f"{ratio:.2f}" for ratio in ratios)]) + " |")

if memory:
    print("\n| workload | parameters | plain, MiB at the peak | DP-SGD | ratio | allocations in ten DP steps |")
    print("|---|---|---|---|---|---|")
    for workload in sorted({workload for workload, _ in memory}):
        one, dp = memory[workload, "plain"], memory[workload, "dp"]
        ratio = dp["peak_mib"] / one["peak_mib"]
        cells = [dp["parameters"], f"{one['peak_mib']:.1f}", f"{dp['peak_mib']:.1f}", f"{ratio:.2f}", dp["allocations_of_ten_steps"]]
        print("| " + " | ".join([workload, *map(str, cells)]) + " |")
