#!/usr/bin/env python3
"""What makes people easier to find, and what harder: Spearman's rank correlation over seeds.

    python3 benches/reproductions/monotone.py target/release/siloscope

For each factor, worlds of people at five levels (12 worlds each, membership drawn anew in each) around the base world
of subject-world.toml; the AUC of the loss threshold with fresh records after the last round. Prints the mean AUC at
every level, the correlation of level and AUC, and how often shuffled levels give as much (10,000 shuffles).
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

SCENARIO = pathlib.Path(__file__).with_name("subject-world.toml")
WORLDS = range(1, 13)
NOISE = (
    "training={ local_steps = 15, sampling_rate = 0.13333333, learning_rate = 0.2 }",
    "federation.strategy={ kind = \"fed-avg\" }",
)
# Expected sign, levels, and the settings that make a level.
FACTORS = {
    "rounds": (+1, (1, 3, 10, 20, 30), None),
    "records of a subject": (+1, (4, 8, 16, 32, 64), lambda k: (f"data.source.synthetic.records_per_subject={k}",)),
    "label shift": (+1, (0, 1, 2, 4, 6), lambda b: (f"data.source.synthetic.shift={float(b)}",)),
    "spread within a subject": (-1, (0.1, 0.3, 0.6, 1.2, 2.4), lambda w: (f"data.source.synthetic.within={w}",)),
    "subjects": (-1, (40, 80, 160, 320, 640), lambda n: (f"data.source.synthetic.subjects={n}",)),
    "noise multiplier": (-1, (0.5, 1.0, 2.0, 4.0, 8.0), lambda z: (
        f'privacy={{ protection = "record", clip_norm = 1.0, noise_multiplier = {z}, delta = 1e-3 }}', *NOISE)),
}


def aucs(binary, settings, world, out):
    """AUC of the loss threshold with fresh records, by round."""
    command = [binary, "run", str(SCENARIO), "--fresh", "--out", out, "--quiet", "--json", "--threads", "1"]
    for setting in (f"seed={world}", f"data.source.synthetic.seed={world}", *settings):
        command += ["--set", setting]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode not in (0, 5):
        raise SystemExit(f"{' '.join(command)}: {answer.stderr}")
    for attack in json.loads(answer.stdout)["report"]["leak"]["attacks"]:
        if (attack["attack"], attack["regime"]) == ("loss-threshold", "fresh"):
            return {entry["round"]: entry["auc"]["value"] for entry in attack["rounds"]}
    raise SystemExit("no loss threshold with fresh records")


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            found[place] = (start + end - 1) / 2
        start = end
    return found


def main():
    args = argparse.ArgumentParser()
    args.add_argument("binary")
    args.add_argument("--jobs", type=int, default=2)
    args = args.parse_args()
    shuffle = random.Random(1)
    print("| factor | levels | mean AUC at each | Spearman's ρ | expected | share of shuffles |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as out, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name, (sign, levels, settings) in FACTORS.items():
            if settings is None:
                runs = list(pool.map(lambda world: aucs(args.binary, (), world, out), WORLDS))
                pairs = [(level, run[level]) for level in levels for run in runs]
            else:
                tasks = [(level, world) for level in levels for world in WORLDS]
                found = pool.map(lambda task: aucs(args.binary, settings(task[0]), task[1], out), tasks)
                pairs = [(level, run[max(run)]) for (level, _), run in zip(tasks, found)]
            x, y = ranks([level for level, _ in pairs]), ranks([auc for _, auc in pairs])
            rho = statistics.correlation(x, y)
            as_much = 0
            for _ in range(10_000):
                shuffle.shuffle(x)
                as_much += sign * statistics.correlation(x, y) >= sign * rho
            means = [statistics.mean(auc for at, auc in pairs if at == level) for level in levels]
            print(f"| {name} | {', '.join(map(str, levels))} | {', '.join(f'{mean:.3f}' for mean in means)} | {rho:+.2f} | "
                  f"{'+' if sign > 0 else '−'} | {as_much / 10_000:.4f} |", flush=True)


if __name__ == "__main__":
    main()
