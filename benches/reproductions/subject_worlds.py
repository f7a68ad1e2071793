#!/usr/bin/env python3
"""Holds the attacks against the reference worlds of docs/reproductions.md.

    python3 benches/reproductions/subject_worlds.py target/release/siloscope [--worlds 5] [--setting base ...] [--lira]

Worlds of people, 17 federations each (membership drawn anew), eight settings. Prints the mean AUC of each attack and
record regime beside the reference, and what each world gives. With --lira one run a world trains 18 shadow federations and
attacks each in turn, with 16 others as its shadows.
"""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import tempfile

SCENARIO = pathlib.Path(__file__).with_name("subject-world.toml")
FEDERATIONS = range(1, 18)
WITHIN = {"within": 0.2, "label_noise": 0.0}
# What is changed in the world, what protects it (name, noise multiplier), and the reference after 30 rounds.
SETTINGS = {
    "null": ({"spread": 0.0, "shift": 0.0}, None),
    "base": ({}, None),
    "within": (WITHIN, None),
    "shift-6": (WITHIN | {"shift": 6.0}, None),
    "record-1": ({}, ("record", 1.0)),
    "averaged-1": ({}, ("averaged-gradient", 1.0)),
    "record-4": ({}, ("record", 4.0)),
    "averaged-4": ({}, ("averaged-gradient", 4.0)),
}
COLUMNS = {
    ("loss-threshold", "fresh"): "LT fresh",
    ("loss-across-rounds/count-of-drops", "fresh"): "LAR fresh",
    ("lira", "fresh"): "LiRA fresh",
    ("loss-threshold", "training-records"): "LT training",
    ("loss-across-rounds/count-of-drops", "training-records"): "LAR training",
    ("lira", "training-records"): "LiRA training",
}
REFERENCE = {
    "null": (0.508, 0.496, 0.506, 0.973, 0.950, 0.996),
    "base": (0.723, 0.577, 0.787, 0.980, 0.950, 0.997),
    "within": (0.862, 0.834, 0.932, 0.897, 0.888, 0.963),
    "shift-6": (0.921, 0.897, 0.966, 0.939, 0.929, 0.979),
    "record-1": (0.683, 0.608, 0.714, 0.803, 0.720, 0.851),
    "averaged-1": (0.668, 0.600, 0.676, 0.769, 0.696, 0.802),
    "record-4": (0.627, 0.552, 0.577, 0.688, 0.587, 0.658),
    "averaged-4": (0.599, 0.541, 0.543, 0.645, 0.571, 0.596),
}


def changes(name, world, seed):
    """The keys of the scenario for one federation."""
    data, protection = SETTINGS[name]
    keys = {"seed": seed, "data.source.synthetic.seed": world}
    keys |= {f"data.source.synthetic.{key}": value for key, value in data.items()}
    if protection:
        # A silo holds 120 records in expectation: batches of 16, two passes of 7.5 steps.
        training = '{ local_steps = 15, sampling_rate = 0.13333333, learning_rate = 0.2 }'
        privacy = '{ protection = "%s", clip_norm = 1.0, noise_multiplier = %s, delta = 1e-3 }' % protection
        strategy = '{ kind = "fed-avg" }'  # record counts are not public under a protection
        keys |= {"training": training, "privacy": privacy, "federation.strategy": strategy}
    return keys


def final_aucs(binary, keys, out):
    """AUC after the last round, by attack and regime."""
    command = [binary, "run", str(SCENARIO), "--fresh", "--out", out, "--quiet", "--json", "--threads", "1"]
    for key, value in keys.items():
        command += ["--set", f"{key}={value}"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode not in (0, 5):
        raise SystemExit(f"{' '.join(command)}: {answer.stderr}")
    return {
        (attack["attack"], attack["regime"]): attack["rounds"][-1]["auc"]["value"]
        for attack in json.loads(answer.stdout)["report"]["leak"]["attacks"]
    }


def shadow_aucs(binary, keys, out):
    """Mean AUC over 18 shadow federations, each attacked with 16 others as shadows, by attack and regime."""
    kinds = '[{ kind = "loss-threshold" }, { kind = "loss-across-rounds", statistic = "count-of-drops" }, { kind = "lira" }]'
    command = [binary, "run", str(SCENARIO), "--fresh", "--out", out, "--quiet", "--json", "--threads", "1"]
    for key, value in (keys | {"adversary.shadows": 18, "attacks": kinds}).items():
        command += ["--set", f"{key}={value}"]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode not in (0, 5):
        raise SystemExit(f"{' '.join(command)}: {answer.stderr}")
    over = json.loads(answer.stdout)["report"]["leak"]["over_runs"]
    return {(attack["attack"].removesuffix("/online"), attack["regime"]): attack["auc"] for attack in over}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("binary")
    args.add_argument("--worlds", type=int, default=5)
    args.add_argument("--setting", nargs="*", choices=SETTINGS, default=list(SETTINGS))
    args.add_argument("--jobs", type=int, default=2)
    args.add_argument("--lira", action="store_true")
    args = args.parse_args()
    worlds = range(1, args.worlds + 1)
    with tempfile.TemporaryDirectory() as out, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for name in args.setting:
            federations, aucs_of = ([1], shadow_aucs) if args.lira else (FEDERATIONS, final_aucs)
            runs = [changes(name, world, seed) for world in worlds for seed in federations]
            found = list(pool.map(lambda keys: aucs_of(args.binary, keys, out), runs))
            print(name, flush=True)
            for (column, title), reference in zip(COLUMNS.items(), REFERENCE[name]):
                values = [aucs[column] for aucs in found if column in aucs]
                if not values:
                    continue
                by_world = [values[i : i + len(federations)] for i in range(0, len(values), len(federations))]
                means = " ".join(f"{statistics.mean(world):.3f}" for world in by_world)
                mean = statistics.mean(values)
                miss = "" if abs(mean - reference) <= 0.04 else "  beyond 0.04"
                print(f"  {title:14} {mean:.3f} (reference {reference:.3f}; worlds {means}){miss}", flush=True)


if __name__ == "__main__":
    main()
