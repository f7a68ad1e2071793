"""The example `device_steps` of the training crate, which takes steps when told to."""

import os
import subprocess
import tempfile


class DeviceSteps:
    """One process of the example, which keeps data and compiled kernels from call to call."""

    def __init__(self, binary, device):
        self.device = device
        self.complaints = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [binary],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
            env=os.environ | {"RUST_BACKTRACE": "0"},
        )

    def seconds(self, workload, kind, batch, silos, steps):
        """Seconds that so many silos took side by side for so many steps each."""
        words = (workload, kind, self.device, batch, silos, steps)
        try:
            print(*words, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.process.wait()
            self.complaints.seek(0)
            raise RuntimeError(f"device_steps ended: {self.complaints.read().strip()[-400:]}")
        return float(line)

    def close(self):
        self.process.kill()
        self.process.wait()
