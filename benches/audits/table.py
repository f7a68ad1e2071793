"""How often audits catch planted faults, by the number of canaries.

Usage: table.py SILOSCOPE [SEEDS] [CANARIES ...], with a siloscope built with `--features planted-faults`.

Every row is SEEDS runs of `scenarios/catalog/audit.toml` with other seeds, audited after the last round alone at 95 %.
The rows of `none` are correct runs: what is "caught" there is a false alarm.
"""

import json
import subprocess
import sys
import tempfile

FAULTS = [
    "none",
    "noise-halved",
    "noise-reused",
    "clip-per-batch",
    "realised-denominator",
    "rate-doubled",
    "forgetful-silo",
]


def audit(siloscope, fault, canaries, seed):
    """The report's audit, and the run's exit code."""
    with tempfile.TemporaryDirectory() as out:
        command = [siloscope, "run", "scenarios/catalog/audit.toml", "--out", out, "--json", "-q"]
        command += ["--set", f"seed={seed}", "--set", f"audit.canaries={canaries}", "--set", "audit.rounds=1"]
        if fault != "none":
            command += ["--plant", fault]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 5):
            sys.exit(f"{' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)["report"]["audit"], done.returncode


def caught(found):
    """Which parts of an audit found something wrong."""
    parts = set()
    for unit in found["units"]:
        if unit["rounds"][-1]["refuted"]:
            parts.add(unit["unit"] if unit["canaries"].startswith("crafted") else "people")
    for check in found["checks"]:
        if check["outcome"] == "tripped":
            parts.add(check["name"])
    return parts


def main():
    siloscope = sys.argv[1]
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    counts = [int(count) for count in sys.argv[3:]] or [50, 200, 1000, 2000]
    columns = ["record", "subject", "people", "noise-strength", "noise-fresh-in-every-step", "noise-fresh-in-every-round"]
    names = ["record ε", "subject ε", "real people", "strength", "fresh, step", "fresh, round"]
    print(f"| fault | canaries a unit | run fails | {' | '.join(names)} | push, record / subject | lower / upper, subject |")
    print("|---|---" + "|---" * (len(columns) + 3) + "|")
    for fault in FAULTS:
        for count in counts:
            tally = dict.fromkeys(columns, 0)
            failed, pushes, ratios = 0, {"record": 0.0, "subject": 0.0}, []
            for seed in range(1, seeds + 1):
                found, code = audit(siloscope, fault, count, seed)
                failed += code == 5
                for part in caught(found):
                    tally[part] += 1
                for unit in found["units"]:
                    if unit["canaries"].startswith("crafted"):
                        pushes[unit["unit"]] += unit["push"] / seeds
                        last = unit["rounds"][-1]
                        if unit["unit"] == "subject":
                            ratios.append(last["lower"] / last["upper"])
            cells = [f"{tally[column]}" for column in columns]
            push = f"{pushes['record']:.2f} / {pushes['subject']:.2f}"
            ratio = f"{sum(ratios) / len(ratios):.2f}"
            print(f"| {fault} | {count} | {failed} of {seeds} | {' | '.join(cells)} | {push} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
