"""TensorBoard reads the runs: every number of the reports, by its Python reader and through its web server."""

import csv
import json
import math
import os
import struct
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

runs, boards, tables = map(Path, sys.argv[1:])


def single(number):
    return struct.unpack("f", struct.pack("f", number))[0]


def close(kept, exact, name):
    """Whether a number of 32 bits is that of 64 bits; an upper bound is no smaller, a lower one no larger."""
    if math.isinf(exact):
        return kept == exact
    if name.startswith("epsilon") or name.endswith("/upper"):
        assert kept >= exact, (name, kept, exact)
    if name.endswith("/lower"):
        assert kept <= exact, (name, kept, exact)
    return abs(kept - exact) <= 2**-23 * abs(exact)


def number(value):
    return float(value)


def expected(run):
    """Scalars of a run by tag and round, from its report and from the CSV files."""
    report = json.loads((runs / run / "report.json").read_text())
    wanted = {}
    for at in report["utility"]["rounds"]:
        wanted["utility/accuracy", at["round"]] = number(at["accuracy"])
        wanted["utility/loss", at["round"]] = number(at["loss"])
    for at in report["promise"]["rounds"]:
        for tag, key in [("record", "record"), ("subject", "subject_worst"), ("silo", "silo")]:
            wanted[f"epsilon/{tag}", at["round"]] = number(at[key])
    with open(tables / "attacks.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["run"] != run:
                continue
            place, at = f"{row['attack']}/{row['regime']}", int(row["round"])
            wanted[f"auc/{place}", at] = float(row["auc"])
            for column, cell in row.items():
                rate = column.startswith("tpr_at_fpr_") and not column.endswith(("_low", "_high"))
                if (rate or column == "advantage") and cell:
                    wanted[f"{column}/{place}", at] = float(cell)
    with open(tables / "rounds.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["run"] == run and row.get("bytes"):
                wanted["network/bytes", int(row["round"])] = float(row["bytes"])
                wanted["network/seconds", int(row["round"])] = float(row["virtual_seconds"])
    return wanted


names = sorted(path.name for path in boards.iterdir())
assert names == sorted(path.name for path in runs.iterdir() if (path / "report.json").exists())
numbers = 0
for run in names:
    for folder in (runs / run / "tensorboard", boards / run):
        board = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        tags = board.Tags()["scalars"]
        kept = {(tag, event.step): event.value for tag in tags for event in board.Scalars(tag)}
        for (tag, at), exact in expected(run).items():
            if tag.startswith("network") and at == 0:
                continue
            assert (tag, at) in kept, (run, tag, at)
            assert close(kept[tag, at], exact, tag), (run, tag, at, kept[tag, at], exact)
            numbers += 1
print(f"TensorBoard's reader: {numbers} numbers of {len(names)} runs agree with report.json and the CSV files")



def serve(*more):
    """What TensorBoard's web server says of the runs: all points of all series, and how many are described."""
    server = subprocess.Popen(
        [str(Path(sys.executable).parent / "tensorboard"), "--logdir", str(runs), "--host", "127.0.0.1", "--port", "0", *more],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        address = next(word for line in server.stderr for word in line.split() if word.startswith("http://"))
        page = f"http://127.0.0.1:{address.rstrip('/').rsplit(':', 1)[1]}/data/plugin/scalars/"
        for _ in range(120):
            tags = json.load(urllib.request.urlopen(page + "tags"))
            if len(tags) == len(names):
                break
            time.sleep(1)
        assert sorted(tags) == [f"{run}/tensorboard" for run in names], sorted(tags)
        points, described = 0, 0
        for run, about in tags.items():
            wanted = expected(run.split("/")[0])
            for tag in about:
                described += bool(about[tag]["description"])
                query = urllib.parse.urlencode({"run": run, "tag": tag})
                for _, step, value in json.load(urllib.request.urlopen(f"{page}scalars?{query}")):
                    # Where there is no number JSON has a word.
                    value = float(str(value).replace("Infinity", "inf"))
                    exact = wanted.get((tag, step))
                    assert exact is None or close(value, exact, tag), (run, tag, step, value, exact)
                    points += 1
        series = sum(map(len, tags.values()))
        return f"{points} points of {series} series of {len(tags)} runs, {described} series described"
    finally:
        server.terminate()
        server.wait()


print("TensorBoard's web server:", serve())
print("TensorBoard's web server without its fast loader:", serve("--load_fast=false"))
