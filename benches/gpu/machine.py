"""What the bench runs on, and the most that it can do: products of 8192 x 8192 floats, and copies on the device."""

import importlib.metadata
import os
import platform
import subprocess
import time

from section import Section


def answer(*command):
    """What a program prints; none if it is not there or has nothing to say."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor():
    with open("/proc/cpuinfo") as info:
        return next((line.split(": ")[1].strip() for line in info if line.startswith("model name")), platform.machine())


def card(section):
    """What the hardware is called."""
    if section.device == "vulkan":
        summary = answer("vulkaninfo", "--summary") or ""
        names = [line.split("=")[1].strip() for line in summary.splitlines() if "deviceName" in line]
        return names[0] if names else "a Vulkan device"
    if section.device == "cpu":
        return processor()
    index = section.torch_device().removeprefix("cuda:")
    return answer("nvidia-smi", f"--id={index}", "--query-gpu=name", "--format=csv,noheader") or section.device


def fastest(torch, device, run):
    """Seconds of the fastest of ten runs after two, each waited for."""
    wait = (lambda: torch.cuda.synchronize(device)) if device != "cpu" else (lambda: None)
    seconds = []
    for _ in range(12):
        wait()
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds[2:])


def measure_peaks(section, torch):
    device = section.torch_device()
    side, numbers = (256, 1 << 20) if section.dry else (8192, 1 << 29)
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    for tf32 in [False, True] if device != "cpu" else [False]:
        torch.backends.cuda.matmul.allow_tf32 = tf32
        seconds = fastest(torch, device, lambda: a @ b)
        section.figure(peak="product", side=side, tf32=tf32, operations_a_second=2 * side**3 / seconds)
    del a, b
    source = torch.zeros(numbers, device=device)
    sink = torch.empty_like(source)
    seconds = fastest(torch, device, lambda: sink.copy_(source))
    section.figure(peak="copy", bytes=8 * numbers, bytes_a_second=8 * numbers / seconds)


def main():
    section = Section("machine")
    try:
        import torch
    except ImportError:
        torch = None
    section.figure(
        card=card(section),
        device=section.device,
        driver=answer("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"),
        nvcc=(answer("nvcc", "--version") or "").split("\n")[-1] or None,
        processor=processor(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        torch=torch and torch.__version__,
        torch_cuda=torch and torch.version.cuda,
        opacus=version("opacus"),
        siloscope=answer(section.siloscope, "--version"),
        dry=section.dry,
    )
    if torch is not None:
        measure_peaks(section, torch)


if __name__ == "__main__":
    main()
