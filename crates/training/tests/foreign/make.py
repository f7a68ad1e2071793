"""Losses of PyTorch's own layers, for tests/foreign.rs: python3 make.py > losses.json   (needs torch)

No weight is stored: number i of tensor j of a model is 0.4 sin(0.7 i + j), which the test computes too.
"""

import json

import torch
from torch import nn
from torch.nn import functional as F


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.embedding = nn.Embedding(6, 3)
        self.rnn = layer(3, 4, num_layers=2, batch_first=True)
        self.head = nn.Linear(4, 6)

    def forward(self, x):
        return self.head(self.rnn(self.embedding(x.long()))[0][:, -1])


class Convnet(nn.Module):
    """The network of Opacus's MNIST example, on 20 x 20."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 8, 2, padding=3)
        self.conv2 = nn.Conv2d(16, 32, 4, 2)
        self.fc1 = nn.Linear(128, 32)
        self.fc2 = nn.Linear(32, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x.view(-1, 1, 20, 20))), 2, 1)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2, 1)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(6, 8)
        self.position = nn.Parameter(torch.zeros(5, 8))
        self.norm1 = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm2 = nn.LayerNorm(8)
        self.wide = nn.Linear(8, 12)
        self.narrow = nn.Linear(12, 8)
        self.norm3 = nn.LayerNorm(8)
        self.head = nn.Linear(8, 6)

    def forward(self, x):
        x = self.embedding(x.long()) + self.position
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = x + self.narrow(F.relu(self.wide(self.norm2(x))))
        return self.head(self.norm3(x).mean(1))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(2, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(2, outputs)
        self.down = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if stride > 1 else None

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + (x if self.down is None else self.down(x)))


class Resnet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.norm = nn.GroupNorm(2, 2)
        self.blocks = nn.Sequential(Block(2, 2, 1), Block(2, 4, 2), Block(4, 8, 2))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.norm(self.conv(x.view(-1, 1, 14, 14))))
        return self.head(self.blocks(x).mean((2, 3)))


def wave(count, phase):
    return 0.4 * torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + phase)


def case(name, table, model, features, tokens, classes, names=None):
    state = model.state_dict()
    for phase, tensor in enumerate(state.values()):
        tensor.copy_(wave(tensor.numel(), phase).reshape(tensor.shape))
    numbers = wave(4 * features, 100)
    if tokens:
        numbers = ((numbers + 0.4) * 7).floor().clamp(0, 5)
    x = numbers.float().reshape(4, features)
    labels = torch.arange(4) % classes
    losses = F.cross_entropy(model.double()(x.double()), labels, reduction="none")
    tensors = [[key, list(tensor.shape)] for key, tensor in state.items()]
    return {"name": name, "model": table, "features": features, "classes": classes, "names": names,
            "tensors": tensors, "losses": [float(loss) for loss in losses.detach()]}


torch.manual_seed(0)
resnet_order = ["conv", "norm"]
for block in range(3):
    resnet_order += [f"blocks.{block}.{part}" for part in ("conv1", "norm1", "conv2", "norm2")]
    resnet_order += [f"blocks.{block}.down"] if block else []
resnet_order += ["head"]
cases = [
    case("mlp", {"kind": "mlp", "hidden": [4, 4]}, nn.Sequential(
        nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)), 5, False, 3),
    case("lstm", {"kind": "lstm", "embedding": 3, "hidden": 4}, Recurrent(nn.LSTM), 5, True, 6),
    case("gru", {"kind": "gru", "embedding": 3, "hidden": 4}, Recurrent(nn.GRU), 5, True, 6),
    case("convnet", {"kind": "convnet"}, Convnet(), 400, False, 3),
    case("transformer", {"kind": "transformer", "width": 8, "heads": 2, "feedforward": 12}, Transformer(), 5, True, 6),
    case("resnet", {"kind": "resnet-gn", "channels": 2, "groups": 2}, Resnet(), 196, False, 3, resnet_order),
]
print("[" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "]")
