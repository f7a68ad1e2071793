"""The tests of layers, clipping, noise, products and stacks, on the device.

All binaries at once: most of their time goes into compiling kernels, each on a core. They share no compiled kernels, so
that none waits for another or trips over it.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile
import time

from section import Section

RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed", re.MULTILINE)


def run(section, binary):
    # The unit tests of the crate know more than devices.
    only = ["tensor::"] if binary.name == "siloscope_training" else []
    # Those of kernels need the device that the build is for.
    only += ["--skip", "tensor::cube"] if section.device == "cpu" else []
    environment = os.environ | {"SILOSCOPE_TEST_DEVICE": section.device, "RUST_BACKTRACE": "0"}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        try:
            ended = subprocess.run(
                [binary, *only],
                cwd=place,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=max(section.left(), 1),
            )
            output, fault = ended.stdout, ended.returncode and f"exit code {ended.returncode}"
        except subprocess.TimeoutExpired as expired:
            output, fault = (expired.stdout or b"").decode(errors="replace"), "time is up"
    passed, failed = next(iter(RESULT.findall(output)), (0, 0))
    section.figure(
        check=f"tests {binary.name}",
        passed=int(passed),
        failed=int(failed),
        seconds=time.monotonic() - start,
        fault=fault or None,
        output=output[-20_000:] if fault else None,
    )
    if fault:
        print(f"{binary.name}: {fault}\n{output[-2000:]}", file=sys.stderr)


def main():
    section = Section("device-tests")
    binaries = sorted((section.binaries / "tests").iterdir())
    with concurrent.futures.ThreadPoolExecutor(len(binaries)) as pool:
        list(pool.map(lambda binary: run(section, binary), binaries))


if __name__ == "__main__":
    main()
