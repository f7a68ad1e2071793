"""The timing jobs as somebody would write them by hand: one PyTorch loop, nothing kept, no ledger, no report.

Usage: torch_loop.py j1|j2|j3
"""

import json
import math
import sys

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

SILOS = {"j1": 100, "j2": 1000, "j3": 100}
COHORT = {"j1": 10, "j2": 100, "j3": 10}
RECORDS, TEST, FEATURES, CLASSES, DEVIATION = 100, 2000, 784, 10, 0.1
ROUNDS, BATCH, RATE, CLIP, NOISE, JOIN = 20, 32, 0.1, 1.0, 1.0, 0.32


def gaussian_classes(silos, rng):
    centres = DEVIATION * rng.standard_normal((CLASSES, FEATURES), dtype=np.float32)
    count = silos * RECORDS + TEST
    labels = rng.integers(CLASSES, size=count)
    features = rng.standard_normal((count, FEATURES), dtype=np.float32)
    features += centres[labels]
    return torch.from_numpy(features), torch.from_numpy(labels)


def plain(model, x, y, rng):
    for rows in np.array_split(rng.permutation(RECORDS), math.ceil(RECORDS / BATCH)):
        model.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= RATE * p.grad


def private(model, x, y, rng):
    def loss(parameters, x, y):
        logits = functional_call(model, parameters, (x.unsqueeze(0),))
        return nn.functional.cross_entropy(logits, y.unsqueeze(0))

    of_records = vmap(grad(loss), in_dims=(None, 0, 0))
    for _ in range(math.ceil(1 / JOIN)):
        rows = np.flatnonzero(rng.random(RECORDS) < JOIN)
        parameters = {name: p.detach() for name, p in model.named_parameters()}
        gradients = of_records(parameters, x[rows], y[rows])
        squares = sum(g.flatten(1).square().sum(1) for g in gradients.values())
        factors = (CLIP / squares.sqrt()).clamp(max=1.0)
        with torch.no_grad():
            for name, p in model.named_parameters():
                total = torch.tensordot(factors, gradients[name], dims=1)
                total += NOISE * CLIP * torch.randn_like(total)
                p -= RATE * total / (JOIN * RECORDS)


def main(job):
    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    silos = SILOS[job]
    features, labels = gaussian_classes(silos, rng)
    tested = slice(silos * RECORDS, None)
    model = nn.Sequential(nn.Linear(FEATURES, 256), nn.ReLU(), nn.Linear(256, CLASSES))
    train = private if job == "j3" else plain
    for _ in range(ROUNDS):
        start = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        total = torch.zeros_like(start)
        for silo in rng.choice(silos, COHORT[job], replace=False):
            nn.utils.vector_to_parameters(start.clone(), model.parameters())
            mine = slice(silo * RECORDS, (silo + 1) * RECORDS)
            train(model, features[mine], labels[mine], rng)
            total += nn.utils.parameters_to_vector(model.parameters()).detach() - start
        nn.utils.vector_to_parameters(start + total / COHORT[job], model.parameters())
        with torch.no_grad():
            right = model(features[tested]).argmax(1) == labels[tested]
    print(json.dumps({"accuracy": right.float().mean().item()}))


if __name__ == "__main__":
    main(sys.argv[1])
