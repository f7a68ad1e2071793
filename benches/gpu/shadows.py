"""Shadow federations of `quickstart` on the device and on two cores.

A finished run is attacked with LiRA, which trains the shadows. Time counts from the start of the process to the line that says
that the last shadow is kept, and so holds loading and all that is said about the adversary's records; the attack itself comes
after. Two cores train fewer shadows twice, and a line through both times says what all would take. The device trains all
of them twice: the first time compiles kernels.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from section import Section


def settings(section):
    return ["--set", "federation.rounds=3"] if section.dry else []


def environment():
    """Two threads, so that the CPU's time is that of two cores; the device's federations have threads of their own."""
    return os.environ | {"RAYON_NUM_THREADS": "2"}


def on_two_cores():
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def train_once(section, out, where):
    command = [section.siloscope, "run", "quickstart", "--quiet", "--out", str(out), *where, *settings(section)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=max(section.left(), 1))
    # 5: a check of the attacks may trip in a run this short.
    if ended.returncode not in (0, 5):
        raise RuntimeError(f"exit code {ended.returncode}: {ended.stderr.strip()[-500:]}")
    (run,) = (folder for folder in out.iterdir() if not folder.name.startswith("."))
    return run


def attack(section, run, shadows, cores):
    """Seconds until the last of so many shadows is kept, and until the process has ended; nothing is kept from before."""
    shutil.rmtree(run.parent / ".shadows", ignore_errors=True)
    command = [section.siloscope, "attack", str(run), "--set", f"adversary.shadows={shadows}"]
    command += ["--set", 'attacks=[{kind="lira"}]']
    two = {"env": environment(), "preexec_fn": on_two_cores} if cores else {}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **two)
    kept, said = None, []
    for line in process.stderr:
        said.append(line)
        if line.startswith(f"shadow federation {shadows} of {shadows}"):
            kept = time.perf_counter() - start
    code = process.wait()
    whole = time.perf_counter() - start
    if kept is None or code not in (0, 5):
        raise RuntimeError(f"exit code {code}: {''.join(said)[-500:]}")
    return kept, whole


def measure(section, place, who, where, counts, cores):
    run = train_once(section, place / who, where)
    for turn, shadows in enumerate(counts):
        kept, whole = attack(section, run, shadows, cores)
        section.figure(who=who, turn=turn, shadows=shadows, kept_s=kept, whole_s=whole)


def main():
    section = Section("shadows")
    # LiRA asks for four at least.
    few, more, all_of_them = (4, 6, 4) if section.dry else (8, 24, 256)
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        measure(section, place, "cores", [], [few, more], cores=True)
        measure(section, place, "device", section.on_device(), [all_of_them, all_of_them], cores=False)


if __name__ == "__main__":
    main()
