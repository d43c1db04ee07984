"""What a program that loads a model costs before it computes: time, memory, objects of Python.

``python benchmarks/program_start.py`` starts programs in turns: one imports open_clip as it is, the
other as this package does, without PyTorch's compiler. It prints medians of the processor's time,
of peak memory and of how many objects a full garbage collection looks at, and how long
``clip-heatmap demo --headless`` takes from its start to its pictures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPORT = """
import gc, json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
seconds = used.ru_utime + used.ru_stime
print(json.dumps([seconds, used.ru_maxrss / 1024, len(gc.get_objects())]))
"""
PLAIN = "import open_clip" + REPORT
OURS = f"""
from napari_clip_heatmap.clip.torch_import import import_open_clip
import_open_clip()
{REPORT}
"""
DEMO = "from napari_clip_heatmap.cli import main; main()"


def measure(program: str) -> list[float]:
    """Run a program; return the seconds, megabytes and objects that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, stdout=subprocess.PIPE, text=True
    )
    figures: list[float] = json.loads(done.stdout)
    return figures


def demo_seconds() -> float:
    """Return how long the demo takes without a window."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        words = ["demo", "--headless", "--output", str(Path(folder) / "pictures")]
        subprocess.run([sys.executable, "-c", DEMO, *words], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    measure(PLAIN)  # compiled, and read from the disk
    turns = [(measure(PLAIN), measure(OURS)) for _ in range(rounds)]
    for number, name in enumerate(("processor seconds", "peak MB", "objects")):
        plain, ours = (
            statistics.median(each[number] for each in side) for side in zip(*turns, strict=True)
        )
        print(f"{name}: {plain:.5g} as it is, {ours:.5g} without the compiler: {ours / plain:.2f}")
    seconds = [demo_seconds() for _ in range(rounds)]
    print(f"demo: median {statistics.median(seconds):.1f} s, best {min(seconds):.1f} s")


if __name__ == "__main__":
    main()
