"""Operations and bytes of a step of W1-W4, counted from the shapes.

A layer with T positions, k inputs and n outputs takes 2 T k n operations a record in each of three products: forward, the
gradient of its weights, and the gradient of its inputs, which the first layer does without. Attention over T positions of
width d has two products of 2 T T d, each with two more on the way back. A step of DP-SGD also needs a norm for every record
and layer: with one position |a|^2 |g|^2, 2 (k + n); with several the cheaper of sum((a a')(g g')), whose factors are
symmetric, T (T + 1) (k + n), and of squaring and scaling the formed gradient, 4 k n. The update is counted as two operations
a parameter, noise as two more, the drawing of normals as none.

Bytes are those that must move if every product reads and writes its operands once and all else is fused into them:
4 (6 P + 2 B k_0 + 6 B sum(T n)) for P parameters, B records and a first layer of k_0 numbers: parameters and their
gradients are read or written three times each; an output is written, and read twice, and so is its gradient. Norms read
inputs and gradients once more: 4 B sum(T (k + n)).

The roofline is max(operations / peak of products, bytes / peak of copies): the least a step can take on the card.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """A layer that multiplies `inputs` by a matrix at each of `positions`."""

    positions: int
    inputs: int
    outputs: int
    first: bool = False
    # Adds to the outputs of the product before, as what a recurrent layer makes of its states does.
    adds: bool = False

    def plain(self):
        products = 2 if self.first else 3
        return products * 2 * self.positions * self.inputs * self.outputs

    def norm(self):
        t, k, n = self.positions, self.inputs, self.outputs
        return 2 * (k + n) if t == 1 else min(t * (t + 1) * (k + n), 4 * k * n)

    def written(self):
        return 0 if self.adds else self.positions * self.outputs

    def read_for_norm(self):
        return self.positions * self.inputs + self.written()


@dataclass(frozen=True)
class Attention:
    """Every position looks at every other; heads share the width."""

    positions: int
    width: int

    def plain(self):
        return 3 * 2 * 2 * self.positions**2 * self.width

    def norm(self):
        return 0

    def written(self):
        return self.positions * self.width

    def read_for_norm(self):
        return 0


@dataclass(frozen=True)
class Embedding:
    """Looked up, and added to on the way back."""

    positions: int
    vocabulary: int
    outputs: int

    def plain(self):
        return 0

    def norm(self):
        return 2 * self.vocabulary * self.outputs

    def written(self):
        return self.positions * self.outputs

    def read_for_norm(self):
        return self.written()


# Layers, parameters, and the numbers of a record.
SHAPES = {
    "W1": ([Product(1, 784, 256, first=True), Product(1, 256, 128), Product(1, 128, 10)], 235146, 784),
    # Convolutions are products of windows: 14 x 14 windows of 8 x 8 numbers, then 5 x 5 of 4 x 4 x 16.
    "W2": (
        [Product(196, 64, 16, first=True), Product(25, 256, 32), Product(1, 512, 32), Product(1, 32, 10)],
        26010,
        784,
    ),
    # Of each layer one product reads the inputs and one the states.
    "W3": (
        [
            Embedding(80, 80, 8),
            Product(80, 8, 1024),
            Product(80, 256, 1024, adds=True),
            Product(80, 256, 1024),
            Product(80, 256, 1024, adds=True),
            Product(1, 256, 80),
        ],
        817872,
        80,
    ),
    "W4": (
        [
            Embedding(80, 80, 128),
            Embedding(80, 80, 128),
            Product(80, 128, 384),
            Attention(80, 128),
            Product(80, 128, 128),
            Product(80, 128, 512),
            Product(80, 512, 128),
            Product(1, 128, 80),
        ],
        229328,
        80,
    ),
}


def operations(workload, batch, protected):
    """Of a step: multiplications and additions of its products, norms, noise and update."""
    layers, parameters, _ = SHAPES[workload]
    of_record = sum(layer.plain() + (layer.norm() if protected else 0) for layer in layers)
    return batch * of_record + parameters * (4 if protected else 2)


def moved_bytes(workload, batch, protected):
    """The least that a step reads and writes."""
    layers, parameters, numbers = SHAPES[workload]
    of_record = 2 * numbers + 6 * sum(layer.written() for layer in layers)
    if protected:
        of_record += sum(layer.read_for_norm() for layer in layers)
    return 4 * (6 * parameters + batch * of_record)


def least_seconds(workload, batch, protected, operations_a_second, bytes_a_second):
    """The roofline of a step."""
    return max(
        operations(workload, batch, protected) / operations_a_second,
        moved_bytes(workload, batch, protected) / bytes_a_second,
    )
