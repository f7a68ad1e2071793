"""A section of the bench: what it is told on its command line, and where its figures go.

A section is a program of its own, so that one that fails or takes too long takes no other with it. It appends a line of
JSON for each figure as soon as it has it.
"""

import argparse
import json
import pathlib
import time

HERE = pathlib.Path(__file__).resolve().parent


class Section:
    """The section `name`, begun now."""

    def __init__(self, name):
        parser = argparse.ArgumentParser(prog=name)
        parser.add_argument("--binaries", type=pathlib.Path, required=True, help="folder of what was built")
        parser.add_argument("--figures", type=pathlib.Path, required=True, help="file that figures are appended to")
        parser.add_argument("--device", default="cuda", help="as a scenario names it; cpu is burn's backend")
        parser.add_argument("--seconds", type=float, default=60, help="time that the section may take")
        parser.add_argument("--dry", action="store_true", help="sizes at which nothing is learnt but whether it works")
        given = parser.parse_args()
        self.name, self.device, self.dry, self.seconds = name, given.device, given.dry, given.seconds
        self.binaries, self.figures = given.binaries.resolve(), given.figures
        self.deadline = time.monotonic() + given.seconds
        self.siloscope = str(self.binaries / "siloscope")

    def left(self):
        """Seconds left."""
        return self.deadline - time.monotonic()

    def figure(self, **figure):
        with self.figures.open("a") as file:
            print(json.dumps({"section": self.name, **figure}), file=file)

    def torch_device(self):
        """Where PyTorch computes: on the same card, or on the CPU if the device is none of NVIDIA's."""
        if not self.device.startswith("cuda"):
            return "cpu"
        return "cuda:0" if self.device == "cuda" else self.device

    def on_device(self):
        """Arguments of siloscope that bring a run to the device."""
        return ["--set", "training.backend=burn"] if self.device == "cpu" else ["--device", self.device]
