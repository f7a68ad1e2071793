"""Steps of W1-W4 on the device: ours, PyTorch's and Opacus's, in turns, at a small and at a large batch.

Every engine takes a turn, then every engine the next, so that whatever else the machine does meets all alike. A turn is as
many steps as take a tenth of a second, waited for at its end. PyTorch multiplies floats as they are unless TF32 is asked for;
one of its columns asks. Its batch lies on the device; ours picks its records out of a data set that does.

Operations are counted from the shapes (roofline.py), and PyTorch's counter of operations has to agree.
"""

import math
import statistics
import sys
import time

from device_steps import DeviceSteps
from roofline import operations
from section import HERE, Section

sys.path.insert(0, str(HERE.parent / "dpsgd"))

# More turns say little more; a turn of more steps neither.
TURNS, TURN_SECONDS, MOST_STEPS = 7, 0.1, 200


class Engine:
    """Something that takes steps: `run(count)` takes so many and says how many seconds they took."""

    def __init__(self, name, kind, run):
        self.name, self.kind, self.run = name, kind, run
        self.count, self.times, self.error = None, [], None

    def take(self, dry):
        if self.error:
            return
        try:
            if self.count is None:
                # The first steps compile and choose kernels.
                self.run(1)
                a_step = self.run(1)
                self.count = 1 if dry else max(1, min(MOST_STEPS, int(TURN_SECONDS / a_step)))
                if self.count > 1:
                    self.run(self.count)
            self.times.append(self.run(self.count) / self.count)
        except Exception as error:  # an engine that cannot do a workload says so in the table
            self.error = f"{type(error).__name__}: {error}"[:300]


def torch_engines(torch, section, name, batch):
    """PyTorch with and without TF32, and Opacus's two."""
    from networks import WORKLOADS, ghost, hooks, plain

    network, dp_network, inputs, classes, _ = WORKLOADS[name]
    device = section.torch_device()
    on_card = device != "cpu"
    torch.manual_seed(1)
    x = inputs(batch).to(device)
    y = torch.randint(classes, (batch,)).to(device)

    def engine(which, kind, make, module, tf32=False):
        made = []

        def run(count):
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            if not made:
                made.append(make(module().to(device), x, y))
            if on_card:
                torch.cuda.synchronize(device)
            start = time.perf_counter()
            for _ in range(count):
                made[0]()
            if on_card:
                torch.cuda.synchronize(device)
            return time.perf_counter() - start

        return Engine(which, kind, run)

    return [
        engine("torch", "plain", plain, network),
        *([engine("torch TF32", "plain", plain, network, tf32=True)] if on_card else []),
        engine("opacus", "hooks", hooks, dp_network),
        engine("opacus", "ghost", ghost, dp_network),
    ]


def our_engines(process, name, batch):
    def engine(kind):
        return Engine("siloscope", kind, lambda count: process.seconds(name, kind, batch, 1, count))

    return [engine(kind) for kind in ("plain", "dp")]


def count_operations(torch, section, name, batch=4):
    """Products of a plain step as roofline.py counts them, and as PyTorch does."""
    from networks import WORKLOADS
    from torch.nn import functional as F
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # Opacus's LSTM is made of products that the counter sees, PyTorch's own is one call.
    _, network, inputs, classes, _ = WORKLOADS[name]
    model = network()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    x, y = inputs(batch), torch.randint(classes, (batch,))
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        F.cross_entropy(model(x), y, reduction="sum").backward()
    counted = operations(name, batch, protected=False) - 2 * parameters
    theirs = counter.get_total_flops()
    fits = math.isclose(counted, theirs, rel_tol=0.01)
    fault = None if fits else f"{counted} operations by the shapes and {theirs} by PyTorch"
    section.figure(check=f"operations {name}", counted=counted, pytorch=theirs, fault=fault)


def compare(section, torch, process, name, batch, seconds):
    end = time.monotonic() + seconds
    engines = torch_engines(torch, section, name, batch) if torch else []
    engines += our_engines(process, name, batch)
    for turn in range(1 if section.dry else TURNS):
        for engine in engines:
            engine.take(section.dry)
        if time.monotonic() > end:
            break
    for engine in engines:
        measured = {"error": engine.error} if engine.error else {
            "ms": 1e3 * statistics.median(engine.times),
            "turns": len(engine.times),
            "steps_a_turn": engine.count,
        }
        section.figure(workload=name, batch=batch, engine=engine.name, kind=engine.kind, **measured)


def main():
    section = Section("workloads")
    try:
        import torch

        if section.torch_device() != "cpu":
            # The rest of the card is ours.
            torch.cuda.set_device(section.torch_device())
            torch.cuda.set_per_process_memory_fraction(0.5)
    except ImportError:
        print("there is no PyTorch here: its columns stay empty", file=sys.stderr)
        torch = None
    names, batches = ["W1", "W2", "W3", "W4"], [4, 8] if section.dry else [256, 4096]
    for place, name in enumerate(names):
        process = DeviceSteps(section.binaries / "device_steps", section.device)
        if torch:
            count_operations(torch, section, name)
        for batch in batches:
            cases = (len(names) - place) * len(batches) - batches.index(batch)
            # Half of a case's time is for turns: the turn under way and what compiles take the rest.
            compare(section, torch, process, name, batch, section.left() / cases / 2)
            if torch and section.torch_device() != "cpu":
                torch.cuda.empty_cache()
        process.close()


if __name__ == "__main__":
    main()
