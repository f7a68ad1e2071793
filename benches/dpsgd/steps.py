"""Steps of the workloads W1-W4 in PyTorch (plain), Opacus (hooks, ghost clipping) and here (plain, DP-SGD), in turns.

Usage: steps.py ENGINE STEPS THREADS, where ENGINE is the example `dpsgd_steps` of the training crate. Every engine takes
a turn, then every engine the next, so that whatever else the machine does meets all alike. Prints one line of JSON for
each: medians over the turns. With one thread it is the time of the process, which other programs disturb less; with
more the wall time, and ours are that many silos at once, each on a thread.
"""

import json
import subprocess
import sys
import time

import torch
from networks import WORKLOADS, ghost, hooks, plain

ENGINE, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(THREADS)


class Ours:
    """The example, which takes steps when told to."""

    def __init__(self):
        self.process = subprocess.Popen([ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # The clock of another process's CPU time, as clock_getcpuclockid(3) makes it.
        self.clock = (~self.process.pid << 3) | 2

    def steps(self, workload, kind, count):
        print(workload, kind, THREADS, count, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "taken\n"


def median(values):
    return sorted(values)[len(values) // 2]


class Turns:
    """An engine's turns: `run(count)` takes so many steps."""

    def __init__(self, engine, kind, run, clock, silos=1):
        self.engine, self.kind, self.run, self.silos = engine, kind, run, silos
        self.clock = clock if THREADS == 1 else time.CLOCK_MONOTONIC
        self.times, self.error = [], None

    def take(self, count):
        if self.error:
            return
        try:
            start = time.clock_gettime(self.clock)
            self.run(count)
            self.times.append((time.clock_gettime(self.clock) - start) * 1e3 / count / self.silos)
        except Exception as error:  # an engine that cannot do a workload says so in the table
            self.error = f"{type(error).__name__}: {error}"[:200]

    def line(self, workload):
        line = {"engine": self.engine, "workload": workload, "kind": self.kind, "threads": THREADS}
        return line | ({"error": self.error} if self.error else {"ms": median(self.times)})


def repeat(step):
    return lambda count: [step() for _ in range(count)]


# Opacus takes seconds for a step of an LSTM: a few turns must do.
SLOW = {("W3", "hooks"): 2, ("W3", "ghost"): 2}
# Short steps are taken several a turn, so that starting a turn does not count.
STEPS_A_TURN = {"W1": 10, "W2": 2, "W3": 1, "W4": 1}

ours = Ours()
own = time.CLOCK_PROCESS_CPUTIME_ID
for name in sys.argv[4:] or WORKLOADS:
    network, dp_network, inputs, classes, rows = WORKLOADS[name]
    torch.manual_seed(1)
    x = inputs(rows)
    y = torch.randint(classes, (rows,))
    engines = [
        Turns("torch", "plain", repeat(plain(network(), x, y)), own),
        Turns("opacus", "hooks", repeat(hooks(dp_network(), x, y)), own),
        Turns("opacus", "ghost", repeat(ghost(dp_network(), x, y)), own),
    ] + [
        Turns("siloscope", kind, lambda count, kind=kind: ours.steps(name, kind, count), ours.clock, THREADS)
        for kind in ("plain", "dp")
    ]
    for turn in range(STEPS + 2):
        for engine in engines:
            if turn < SLOW.get((name, engine.kind), STEPS + 2):
                engine.take(STEPS_A_TURN[name] if engine.engine != "opacus" else 1)
            if turn == 1 and (name, engine.kind) not in SLOW:
                engine.times.clear()
    for engine in engines:
        print(json.dumps(engine.line(name)), flush=True)
