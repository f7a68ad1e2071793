"""The workloads W1-W4 in PyTorch and their steps: plain, and DP-SGD by Opacus's hooks and by its ghost clipping.

`plain`, `hooks` and `ghost` take a network and a batch, all on one device, and return a function that takes one step.
"""

import warnings

import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
NOISE, CLIP = 1.0, 1.0


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
        places = torch.arange(length, device=x.device).repeat(rows, 1)
        x = self.embedding(x) + self.positions(places)
        q, k, v = self.qkv(self.norms[0](x)).view(rows, length, 3, 4, 32).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(y.transpose(1, 2).reshape(rows, length, 128))
        x = x + self.down(F.relu(self.up(self.norms[1](x))))
        return self.head(self.norms[2](x).mean(1))


def dp_lstm():
    from opacus.layers import DPLSTM

    return Lstm(DPLSTM)


IMAGES = lambda rows: torch.randn(rows, 1, 28, 28)
TEXTS = lambda rows: torch.randint(80, (rows, 80))
# The network, one that Opacus can take, how so many records are made, classes, and the records of a batch on the CPU.
WORKLOADS = {
    "W1": (mlp, mlp, lambda rows: torch.randn(rows, 784), 10, 256),
    "W2": (convnet, convnet, IMAGES, 10, 256),
    "W3": (lambda: Lstm(nn.LSTM), dp_lstm, TEXTS, 80, 32),
    "W4": (Transformer, Transformer, TEXTS, 80, 32),
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
