"""Reads the figures of all sections, keeps them in one file, and prints the tables of docs/performance.md.

Usage: tables.py FIGURES.jsonl FIGURES.json [SECTION=EXIT_CODE…]. Ends with 1 if a check failed or a section did not end
well. A missed target is no failure; it is printed beside its figure.
"""

import json
import pathlib
import sys

from roofline import least_seconds, moved_bytes, operations

MISSING = float("nan")
# What tells the turns of the device's shadow federations apart.
WHICH = {("device", 0): "first", ("device", 1): "again"}


def table(header, rows):
    if not rows:
        print("not measured\n")
        return
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def number(value, digits=3):
    return f"{value:.{digits}g}" if value == value else "–"


def times(value, target=None):
    """How many times as fast, beside the target."""
    if value != value:
        return "–"
    return f"{value:.2f}×" + (f" (target {target}×: {'met' if value >= target else 'missed'})" if target else "")


class Figures:
    """All that was measured and checked."""

    def __init__(self, lines):
        self.lines = lines

    def of(self, section, key):
        return [line for line in self.lines if line["section"] == section and key in line]

    def machine(self):
        return next(iter(self.of("machine", "card")), {})

    def peak(self, kind, key, **among):
        found = (p[key] for p in self.of("machine", "peak") if p["peak"] == kind and among.items() <= p.items())
        return next(found, MISSING)


def print_machine(figures):
    machine = figures.machine()
    if machine.get("dry"):
        print("**A dry run: sizes at which nothing is learnt but whether it works. No figure below is a result.**\n")
    print(f"## {machine.get('card', 'unknown device')}\n")
    for key in ("device", "driver", "nvcc", "processor", "cores", "python", "torch", "torch_cuda", "opacus", "siloscope"):
        if machine.get(key) is not None:
            print(f"* {key}: {machine[key]}")
    for peak in figures.of("machine", "peak"):
        if peak["peak"] == "product":
            kind = "TF32" if peak["tf32"] else "float32"
            print(f"* {kind} product of {peak['side']}³: {peak['operations_a_second'] / 1e12:.3g} TFLOP/s")
        else:
            print(f"* copy on the device: {peak['bytes_a_second'] / 1e9:.4g} GB/s, read and written")
    print()


def print_checks(figures):
    print("### Checks\n")
    tests = figures.of("device-tests", "check")
    table(
        ["tests on the device", "passed", "failed", "s", ""],
        [
            [c["check"].removeprefix("tests "), str(c["passed"]), str(c["failed"]), number(c["seconds"]), c["fault"] or "ok"]
            for c in tests
        ],
    )
    table(
        ["protection", "model: ‖Δ‖/‖ref‖", "signals", "ledgers", ""],
        [
            [
                c["check"].removeprefix("protection "),
                number(c.get("model", MISSING), 2),
                number(c.get("signals", MISSING), 2),
                "equal" if c.get("ledgers_equal") else "differ",
                c["fault"] or "ok",
            ]
            for c in figures.of("protections", "check")
        ],
    )
    for check in figures.of("workloads", "check"):
        print(f"* {check['check']}: {check['fault'] or 'as PyTorch counts them'}")
    print()


def print_workloads(figures):
    print("### Steps\n")
    lines = figures.of("workloads", "engine")
    took = {(l["workload"], l["batch"], l["engine"], l["kind"]): l.get("ms", MISSING) for l in lines}
    peak_operations = figures.peak("product", "operations_a_second", tf32=False)
    peak_bytes = figures.peak("copy", "bytes_a_second")
    rows, shares, cases = [], [], sorted({(l["workload"], l["batch"]) for l in lines})
    builds = sorted({l["engine"] for l in lines if l["engine"].startswith("siloscope")})
    for workload, batch in cases:
        at = lambda engine, kind: took.get((workload, batch, engine, kind), MISSING)
        opacus = [at("opacus", kind) for kind in ("hooks", "ghost")]
        theirs = [at("torch", "plain"), at("torch TF32", "plain"), *opacus]
        best = min((time for time in opacus if time == time), default=MISSING)
        for build in builds:
            plain, dp = at(build, "plain"), at(build, "dp")
            cells = [number(time) for time in [*theirs, plain, dp]]
            ratios = [times(at("torch", "plain") / dp, 1.0), times(plain / dp), times(best / dp)]
            rows.append([workload, str(batch), build, *cells, *ratios])
            for kind, ms, protected in [("plain", plain, False), ("DP-SGD", dp, True)]:
                least = 1e3 * least_seconds(workload, batch, protected, peak_operations, peak_bytes)
                gflop, mb = operations(workload, batch, protected) / 1e9, moved_bytes(workload, batch, protected) / 1e6
                share = f"{100 * least / ms:.1f} %" if least == least and ms == ms else "–"
                shares.append([workload, str(batch), build, kind, number(gflop), number(mb), number(least), number(ms), share])
    print("Milliseconds a step, medians; the last three columns say how many times as fast as each our DP-SGD is.\n")
    header = ["workload", "batch", "ours", "torch plain", "torch TF32", "Opacus hooks", "Opacus ghost", "plain", "DP-SGD"]
    table([*header, "to torch plain", "to own plain", "to Opacus"], rows)
    for line in lines:
        if "error" in line:
            print(f"* {line['engine']} {line['kind']} on {line['workload']}, batch {line['batch']}: {line['error']}")
    print("\n### Share of the roofline\n")
    table(["workload", "batch", "ours", "step", "GFLOP", "MB", "least ms", "ms", "share"], shares)


def print_stacks(figures):
    print("### Silos stacked against one by one\n")
    rows = []
    for line in figures.of("stacks", "stacked_s"):
        sizes = [str(line[key]) for key in ("silos", "steps", "batch")]
        seconds = [line["stacked_s"], line["one_by_one_s"]]
        faster = times(seconds[1] / seconds[0], 10)
        rows.append([line["workload"], line["kind"], line["engine"], *sizes, *map(number, seconds), faster])
    table(["model", "step", "ours", "silos", "steps", "batch", "stacked, s", "one by one, s", "times as fast"], rows)


def print_shadows(figures):
    print("### Shadow federations of quickstart\n")
    lines = figures.of("shadows", "shadows")
    cores = sorted((l["shadows"], l["kept_s"]) for l in lines if l["who"] == "cores")
    rows = [
        [l["who"], str(l["shadows"]), WHICH.get((l["who"], l["turn"]), ""), number(l["kept_s"]), number(l["whole_s"]), ""]
        for l in lines
    ]
    device = [l for l in lines if l["who"] == "device"]
    if device and len(cores) == 2:
        (few, short), (more, long) = cores
        count = device[0]["shadows"]
        scaled = long + (count - more) * (long - short) / (more - few)
        for line, row in zip(device, [row for row in rows if row[0] == "device"]):
            row[-1] = times(scaled / line["kept_s"], 30)
        rows.append(["cores", str(count), f"scaled from {few} and {more}", number(scaled), "", "1×"])
    table(["who", "shadows", "", "until the last is kept, s", "whole, s", "times as fast as two cores"], rows)


def main():
    source, sink, *ends = sys.argv[1:]
    source = pathlib.Path(source)
    lines = [json.loads(line) for line in source.read_text().splitlines()] if source.exists() else []
    ends = dict(end.split("=") for end in ends)
    pathlib.Path(sink).write_text(json.dumps({"sections": ends, "figures": lines}, indent=1) + "\n")
    figures = Figures(lines)
    for show in (print_machine, print_checks, print_workloads, print_stacks, print_shadows):
        show(figures)
    failed = [line["check"] for line in lines if line.get("fault")]
    broken = [f"{name} ({'time is up' if code in ('124', '137') else f'exit code {code}'})" for name, code in ends.items() if code != "0"]
    for what, names in [("checks that failed", failed), ("sections that did not end well", broken)]:
        if names:
            print(f"**{what}:** {', '.join(names)}")
    if not failed and not broken:
        print("All checks passed.")
    sys.exit(1 if failed or broken else 0)


if __name__ == "__main__":
    main()
