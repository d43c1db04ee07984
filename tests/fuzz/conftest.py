"""Generated input: each function under test accepts it, or refuses it with an error of the package.

``--fuzz N`` sets the number of inputs per test; the counts are printed at the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from napari_clip_heatmap.errors import MESSAGE_LIMIT, ClipHeatmapError

DEFAULT_BUDGET = 40
SECONDS = 10
"""Of computing; an input that takes longer counts as a hang."""

counts: dict[str, Counter[str]] = {}


class Fuzz:
    """Runs a function on generated inputs and counts what becomes of them."""

    def __init__(self, name: str, budget: int) -> None:
        self.budget = budget
        self.counts = counts.setdefault(name, Counter())

    def __call__(self, strategy: SearchStrategy[Any], function: Callable[[Any], object]) -> None:
        @settings(max_examples=self.budget, suppress_health_check=list(HealthCheck), database=None)
        @given(strategy)
        def run(value: Any) -> None:
            started = time.process_time()
            try:
                function(value)
            except ClipHeatmapError as error:
                outcome = "refused"
                message = str(error)
            else:
                outcome, message = "accepted", "-" * 20
            assert 20 <= len(message) <= MESSAGE_LIMIT, message
            assert time.process_time() - started < SECONDS
            self.counts[outcome] += 1

        run()


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    return Fuzz(request.node.name, request.config.getoption("--fuzz") or DEFAULT_BUDGET)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not counts:
        return
    terminalreporter.section("generated inputs")
    for name, found in sorted(counts.items()):
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(found.items()))
        terminalreporter.write_line(f"{name}: {told}")
    total = sum(found.total() for found in counts.values())
    terminalreporter.write_line(f"in all: {total}")
