"""Generated input: each function under test accepts it, or refuses it with an error of the package.

``--fuzz N`` sets the number of inputs per test; the counts are printed at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from napari_clip_heatmap.errors import MESSAGE_LIMIT, ClipHeatmapError

DEFAULT_BUDGET = 40
GENERATED_INPUTS = "generated inputs"
"""Name of the property that `pytest_terminal_summary` in tests/conftest.py reads."""
COMPUTING_SECONDS = 10
"""An input that computes for longer counts as a hang."""
CLOCK_SECONDS = 120
"""An input that waits for longer counts as a hang: computing time does not grow while it sleeps."""


class Fuzz:
    """Runs a function on generated inputs and counts what becomes of them."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.counts: dict[str, int] = {}

    def __call__(self, strategy: SearchStrategy[Any], function: Callable[[Any], object]) -> None:
        @settings(max_examples=self.budget, suppress_health_check=list(HealthCheck), database=None)
        @given(strategy)
        def run(value: Any) -> None:
            computing, clock = time.process_time(), time.monotonic()
            try:
                function(value)
            except ClipHeatmapError as error:
                outcome = "refused"
                message = str(error)
            else:
                outcome, message = "accepted", "-" * 20
            assert 20 <= len(message) <= MESSAGE_LIMIT, message
            assert time.process_time() - computing < COMPUTING_SECONDS
            assert time.monotonic() - clock < CLOCK_SECONDS
            self.counts[outcome] = self.counts.get(outcome, 0) + 1

        run()


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    """Count in the properties of the test: its report brings them to where the summary is made."""
    fuzz = Fuzz(request.config.getoption("--fuzz") or DEFAULT_BUDGET)
    request.node.user_properties.append((GENERATED_INPUTS, fuzz.counts))
    return fuzz
