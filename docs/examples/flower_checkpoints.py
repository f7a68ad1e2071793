#!/usr/bin/env python3
"""A federation trained by Flower, whose global model of every round `siloscope attack` can attack.

    pip install "flwr[simulation]" numpy safetensors
    python3 docs/examples/foreign_checkpoints.py flower          # people.csv, members.csv, attack.toml
    python3 docs/examples/flower_checkpoints.py flower           # trains on them with Flower, one client a hospital
    siloscope attack flower/checkpoints --scenario flower/attack.toml

What matters is `save`: Flower calls `evaluate_fn` with the global model before the first round and after every round.
"""
import argparse
import csv
import pathlib

import numpy as np
from flwr.app import ArrayRecord, MetricRecord, RecordDict, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation
from safetensors.numpy import save_file

from foreign_checkpoints import forward, train

HIDDEN, CLASSES = 64, 3
NAMES = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


def model_of(arrays):
    return {name: array.astype(np.float64) for name, array in zip(NAMES, arrays.to_numpy_ndarrays())}


def arrays_of(model):
    return ArrayRecord([model[name].astype(np.float32) for name in NAMES])


def hospitals(folder):
    """The members' records of every hospital: features and labels."""
    with open(folder / "members.csv", newline="") as file:
        members = {row["subject"] for row in csv.DictReader(file) if row["member"] == "1"}
    held = {}
    with open(folder / "people.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["person"] in members:
                features = [float(value) for key, value in row.items() if key.startswith("x")]
                held.setdefault(row["hospital"], []).append((features, int(row["ill"])))
    return [(np.array([x for x, _ in rows]), np.array([y for _, y in rows])) for _, rows in sorted(held.items())]


def client_app(held):
    app = ClientApp()

    @app.train()
    def fit(message, context):
        x, y = held[context.node_config["partition-id"]]
        rng = np.random.default_rng([context.node_config["partition-id"], message.content["config"]["server-round"]])
        model = train(model_of(message.content["arrays"]), x, y, 2, 16, 0.3, rng)
        loss = -forward(model, x)[1][np.arange(len(y)), y].mean()
        metrics = MetricRecord({"num-examples": len(y), "train_loss": float(loss)})
        return Message(content=RecordDict({"arrays": arrays_of(model), "metrics": metrics}), reply_to=message)

    return app


def server_app(held, rounds, checkpoints):
    app = ServerApp()

    @app.main()
    def main(grid, context):
        rng = np.random.default_rng(1)
        features = held[0][0].shape[1]

        def layer(outputs, inputs):
            bound = 1 / np.sqrt(inputs)
            return rng.uniform(-bound, bound, (outputs, inputs)), rng.uniform(-bound, bound, outputs)

        model = {}
        model["fc1.weight"], model["fc1.bias"] = layer(HIDDEN, features)
        model["fc2.weight"], model["fc2.bias"] = layer(CLASSES, HIDDEN)

        def save(server_round, arrays):
            tensors = dict(zip(NAMES, arrays.to_numpy_ndarrays()))
            save_file(tensors, checkpoints / f"round-{server_round:04}.safetensors")
            return MetricRecord()

        strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=len(held))
        strategy.start(grid=grid, initial_arrays=arrays_of(model), num_rounds=rounds, evaluate_fn=save)

    return app


def main():
    args = argparse.ArgumentParser()
    args.add_argument("folder", type=pathlib.Path)
    args.add_argument("--rounds", type=int, default=15)
    args = args.parse_args()
    checkpoints = args.folder / "checkpoints"
    checkpoints.mkdir(exist_ok=True)
    for old in checkpoints.glob("*.safetensors"):
        old.unlink()
    held = hospitals(args.folder)
    run_simulation(
        server_app=server_app(held, args.rounds, checkpoints), client_app=client_app(held), num_supernodes=len(held)
    )


if __name__ == "__main__":
    main()
