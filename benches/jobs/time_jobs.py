"""Times bench-j1, bench-j2 and bench-j3 as whole processes beside a PyTorch loop, one after the other.

Usage: time_jobs.py SILOSCOPE REPEATS [JOB …]

Prints a table: medians of wall time, CPU time and peak resident memory, a round's wall time as the run folder's
timings.jsonl has it, and the accuracy after the last round.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent


def timed(command, folder):
    """Wall seconds, CPU seconds, peak MiB and stdout of a process."""
    with open(folder / "stdout", "w+") as out:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        if status != 0:
            raise SystemExit(f"{command} ended with {status}")
        out.seek(0)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read()


def siloscope(binary, job):
    with tempfile.TemporaryDirectory(dir=".") as place:
        place = pathlib.Path(place)
        runs = place / "runs"
        figures = timed([binary, "run", f"bench-{job}", "--out", runs, "-q"], place)
        (run,) = runs.iterdir()
        events = [json.loads(line) for line in (run / "events.jsonl").open()]
        accuracy = [e["accuracy"] for e in events if e["event"] == "round-finished"][-1]
        seconds = [json.loads(line)["seconds"] for line in (run / "timings.jsonl").open()]
        return *figures[:3], 1000 * statistics.median(seconds), accuracy


def torch_loop(job):
    with tempfile.TemporaryDirectory(dir=".") as place:
        command = [sys.executable, HERE / "torch_loop.py", job]
        *figures, stdout = timed(command, pathlib.Path(place))
        return *figures, float("nan"), json.loads(stdout)["accuracy"]


def main(binary, repeats, jobs):
    print("| job | who | wall, s | CPU, s | peak, MiB | a round, ms | accuracy |")
    print("|---|---|---|---|---|---|---|")
    for job in jobs:
        seen = {"siloscope": [], "PyTorch loop": []}
        for _ in range(repeats):
            seen["siloscope"].append(siloscope(binary, job))
            seen["PyTorch loop"].append(torch_loop(job))
        walls = {}
        for who, runs in seen.items():
            wall, cpu, peak, a_round, accuracy = map(statistics.median, zip(*runs))
            walls[who] = wall
            a_round = "" if a_round != a_round else f"{a_round:.1f}"
            print(f"| {job} | {who} | {wall:.2f} | {cpu:.2f} | {peak:.0f} | {a_round} | {accuracy:.3f} |")
        print(f"| {job} | ratio | {walls['siloscope'] / walls['PyTorch loop']:.3f} | | | | |", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:] or ["j1", "j2", "j3"])
