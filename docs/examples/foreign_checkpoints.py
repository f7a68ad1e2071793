#!/usr/bin/env python3
"""A federation that siloscope did not train, saved so that `siloscope attack` can attack it.

    pip install numpy safetensors
    python3 docs/examples/foreign_checkpoints.py trained
    siloscope attack trained/checkpoints --scenario trained/attack.toml

Plain numpy and FedAvg, to show what is needed and nothing else: whatever trains the models (PyTorch, Flower, NVFlare),
save the global model of every round as named tensors in PyTorch's layouts, round 0 before training:

    Flower   save_file({k: v for k, v in zip(names, parameters_to_ndarrays(parameters))}, f"round-{r:04}.safetensors")
    PyTorch  safetensors.torch.save_file(model.state_dict(), f"round-{r:04}.safetensors")
    NVFlare  the same, with the model of the shareable in ScatterAndGather's round
"""
import argparse
import csv
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

SCENARIO = """# Attacks models that were trained elsewhere: siloscope attack checkpoints --scenario attack.toml
name = "foreign"
[data]
source = { csv = "people.csv", label = "ill", subject = "person", silo = "hospital" }
membership = { file = "members.csv" }     # person, member; whoever is not listed measures accuracy
[federation]
silos = %d
partition = { kind = "natural" }          # the silos that people.csv names
[model]
kind = "mlp"
hidden = [%d]
[adversary]
known_subjects = %d
[[attacks]]
kind = "loss-threshold"
[[attacks]]
kind = "loss-across-rounds"
[[attacks]]
kind = "loss-ratio"
"""


def forward(model, x):
    """Hidden activations and log-probabilities. `x`: [records, features]."""
    hidden = np.maximum(x @ model["fc1.weight"].T + model["fc1.bias"], 0)
    logits = hidden @ model["fc2.weight"].T + model["fc2.bias"]
    logits = logits - logits.max(1, keepdims=True)
    return hidden, logits - np.log(np.exp(logits).sum(1, keepdims=True))


def train(model, x, y, epochs, batch, rate, rng):
    model = {name: tensor.copy() for name, tensor in model.items()}
    for _ in range(epochs):
        order = rng.permutation(len(y))
        for rows in np.array_split(order, max(1, len(y) // batch)):
            hidden, logs = forward(model, x[rows])
            error = np.exp(logs)
            error[np.arange(len(rows)), y[rows]] -= 1
            error /= len(rows)
            back = (error @ model["fc2.weight"]) * (hidden > 0)
            model["fc2.weight"] -= rate * error.T @ hidden
            model["fc2.bias"] -= rate * error.sum(0)
            model["fc1.weight"] -= rate * back.T @ x[rows]
            model["fc1.bias"] -= rate * back.sum(0)
    return model


def main():
    args = argparse.ArgumentParser()
    args.add_argument("out", type=pathlib.Path)
    args.add_argument("--subjects", type=int, default=150, help="a third each: members, non-members, others")
    args.add_argument("--records", type=int, default=8)
    args.add_argument("--features", type=int, default=10)
    args.add_argument("--hidden", type=int, default=64)
    args.add_argument("--rounds", type=int, default=15)
    args.add_argument("--silos", type=int, default=3)
    args.add_argument("--known", type=int, default=5)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    rng = np.random.default_rng(args.seed)
    classes, count = 3, args.subjects * args.records

    # People with a mean and a label shift of their own. Rounded, so that the CSV holds exactly what is trained on.
    subject = np.repeat(np.arange(args.subjects), args.records)
    x = rng.normal(0, 1, (args.subjects, args.features))[subject] + rng.normal(0, 0.6, (count, args.features))
    x = np.round(x, 3).astype(np.float32).astype(np.float64)
    logits = 0.5 * x @ rng.normal(0, 1, (args.features, classes)) + rng.normal(0, 2, (args.subjects, classes))[subject]
    y = logits.argmax(1)
    silo = rng.integers(0, args.silos, args.subjects)[subject]
    kind = rng.permutation(np.arange(args.subjects) % 3)  # 0: member, 1: non-member, 2: population

    def layer(outputs, inputs):
        bound = 1 / np.sqrt(inputs)
        return rng.uniform(-bound, bound, (outputs, inputs)), rng.uniform(-bound, bound, outputs)

    model = {}
    model["fc1.weight"], model["fc1.bias"] = layer(args.hidden, args.features)
    model["fc2.weight"], model["fc2.bias"] = layer(classes, args.hidden)

    checkpoints = args.out / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    found, test = [], kind[subject] == 2
    for round in range(args.rounds + 1):
        if round > 0:
            held = [(silo == s) & (kind[subject] == 0) for s in range(args.silos)]
            held = [rows for rows in held if rows.any()]
            updates = [train(model, x[rows], y[rows], 2, 16, 0.3, rng) for rows in held]
            weights = np.array([rows.sum() for rows in held]) / sum(rows.sum() for rows in held)
            model = {name: sum(w * update[name] for w, update in zip(weights, updates)) for name in model}
        model = {name: tensor.astype(np.float32).astype(np.float64) for name, tensor in model.items()}
        save_file({k: v.astype(np.float32) for k, v in model.items()}, checkpoints / f"round-{round:04}.safetensors")
        losses = -forward(model, x)[1][np.arange(count), y]
        found.append({"round": round, "population_loss": losses[test].mean()})

    with open(args.out / "people.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["person", "hospital", "ill", *(f"x{j}" for j in range(args.features))])
        rows.writerows([f"p{subject[i]:03}", f"h{silo[i]}", y[i], *x[i].round(3)] for i in range(count))
    with open(args.out / "members.csv", "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["subject", "member"])
        rows.writerows([f"p{s:03}", int(kind[s] == 0)] for s in range(args.subjects) if kind[s] < 2)
    (args.out / "attack.toml").write_text(SCENARIO % (args.silos, args.hidden, args.known))
    # Not needed: what the losses are, to hold siloscope's against.
    (args.out / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
