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
import warnings

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
ENGINE, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
NOISE, CLIP = 1.0, 1.0
torch.set_num_threads(THREADS)


def mlp():
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )


def convnet():
    """The network of Opacus's MNIST example."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 8, 2, padding=3), nn.ReLU(), nn.MaxPool2d(2, 1),
        nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.MaxPool2d(2, 1),
        nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10),
    )


class Lstm(nn.Module):
    def __init__(self, lstm):
        super().__init__()
        self.embedding = nn.Embedding(80, 8)
        self.lstm = lstm(8, 256, num_layers=2, batch_first=True)
        self.head = nn.Linear(256, 80)

    def forward(self, x):
        states, _ = self.lstm(self.embedding(x))
        return self.head(states[:, -1])


class Transformer(nn.Module):
    """One block: attention and a dense part, each behind a layer norm and beside a shortcut."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(80, 128)
        self.positions = nn.Embedding(80, 128)
        self.norms = nn.ModuleList(nn.LayerNorm(128) for _ in range(3))
        self.qkv, self.out = nn.Linear(128, 384), nn.Linear(128, 128)
        self.up, self.down = nn.Linear(128, 512), nn.Linear(512, 128)
        self.head = nn.Linear(128, 80)

    def forward(self, x):
        rows, length = x.shape
        places = torch.arange(length).repeat(rows, 1)
        x = self.embedding(x) + self.positions(places)
        q, k, v = self.qkv(self.norms[0](x)).view(rows, length, 3, 4, 32).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).reshape(rows, length, 128))
        x = x + self.down(F.relu(self.up(self.norms[1](x))))
        return self.head(self.norms[2](x).mean(1))


def dp_lstm():
    from opacus.layers import DPLSTM

    return Lstm(DPLSTM)


IMAGES = lambda: torch.randn(256, 1, 28, 28)
TEXTS = lambda: torch.randint(80, (32, 80))
WORKLOADS = {
    "W1": (mlp, mlp, lambda: torch.randn(256, 784), 10),
    "W2": (convnet, convnet, IMAGES, 10),
    "W3": (lambda: Lstm(nn.LSTM), dp_lstm, TEXTS, 80),
    "W4": (Transformer, Transformer, TEXTS, 80),
}


def update(parameters, rows, gradients, noise):
    """Adds noise to the sums of gradients and takes a step, as every engine here does."""
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients):
            if noise:
                gradient = gradient + NOISE * CLIP * torch.randn_like(gradient)
            parameter.add_(gradient, alpha=-1e-4 / rows)


def plain(model, x, y):
    parameters = list(model.parameters())

    def step():
        loss = F.cross_entropy(model(x), y, reduction="sum")
        update(parameters, len(x), torch.autograd.grad(loss, parameters), noise=False)

    return step


def hooks(model, x, y):
    from opacus import GradSampleModule

    model = GradSampleModule(model, loss_reduction="sum")
    parameters = list(model.parameters())

    def step():
        model.zero_grad()
        F.cross_entropy(model(x), y, reduction="sum").backward()
        norms = torch.stack([p.grad_sample.flatten(1).norm(dim=1) for p in parameters], 1).norm(dim=1)
        factors = (CLIP / (norms + 1e-6)).clamp(max=1.0)
        sums = [torch.einsum("i,i...->...", factors, p.grad_sample) for p in parameters]
        for parameter in parameters:
            parameter.grad_sample = None
        update(parameters, len(x), sums, noise=True)

    return step


def ghost(model, x, y):
    from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import (
        GradSampleModuleFastGradientClipping,
    )

    model = GradSampleModuleFastGradientClipping(
        model, max_grad_norm=CLIP, use_ghost_clipping=True, loss_reduction="sum"
    )
    parameters = list(model.parameters())

    def step():
        model.zero_grad()
        losses = F.cross_entropy(model(x), y, reduction="none")
        losses.sum().backward(retain_graph=True)
        factors = model.get_clipping_coef()
        model.zero_grad()
        model.disable_hooks()
        (factors * losses).sum().backward()
        model.enable_hooks()
        update(parameters, len(x), [p.grad for p in parameters], noise=True)

    return step


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
    network, dp_network, inputs, classes = WORKLOADS[name]
    torch.manual_seed(1)
    x = inputs()
    y = torch.randint(classes, (len(x),))
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
