"""Sixty-four silos stacked against the same silos one by one, on the device: batch 32, 10 steps, plain and DP-SGD."""

import statistics

from device_steps import DeviceSteps
from section import Section

BATCH, TURNS = 32, 5


def compare(section, process, workload, kind, silos, steps):
    def stacked():
        return process.seconds(workload, kind, BATCH, silos, steps)

    def one_by_one():
        return sum(process.seconds(workload, kind, BATCH, 1, steps) for _ in range(silos))

    # The first of each compile and choose kernels.
    stacked()
    process.seconds(workload, kind, BATCH, 1, steps)
    times = [(stacked(), one_by_one()) for _ in range(1 if section.dry else TURNS)]
    section.figure(
        engine="siloscope",
        workload=workload,
        kind=kind,
        silos=silos,
        steps=steps,
        batch=BATCH,
        stacked_s=statistics.median(stacked for stacked, _ in times),
        one_by_one_s=statistics.median(one_by_one for _, one_by_one in times),
    )


def main():
    section = Section("stacks")
    silos, steps = (4, 2) if section.dry else (64, 10)
    process = DeviceSteps(section.binaries / "device_steps", section.device)
    for workload in ("MLP", "W2"):
        for kind in ("plain", "dp"):
            compare(section, process, workload, kind, silos, steps)
    process.close()


if __name__ == "__main__":
    main()
