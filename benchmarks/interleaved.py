"""Time several ways of doing a thing in turns, so that a busy machine is unfair to none of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["CLOCKS", "report", "time_in_turns"]

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""On a machine that others use too, "cpu" still compares work, though not waiting."""


def time_in_turns(
    ways: Mapping[str, Callable[[], object]], rounds: int, clock: str = "wall"
) -> dict[str, list[float]]:
    """Run each way once unmeasured, then all of them in turns; return seconds per round."""
    now = CLOCKS[clock]
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = now()
            way()
            seconds[name].append(now() - start)
    return seconds


def report(seconds: Mapping[str, list[float]], anchor: str) -> None:
    """Print median and best milliseconds, and the median of the round-by-round ratios to one."""
    print(f"{'':44}{'median ms':>12}{'best ms':>12}{'ratio':>8}")
    for name, taken in seconds.items():
        ratio = statistics.median(
            one / other for one, other in zip(taken, seconds[anchor], strict=True)
        )
        print(
            f"{name:44}{statistics.median(taken) * 1e3:12.1f}{min(taken) * 1e3:12.1f}{ratio:8.2f}"
        )
