from __future__ import annotations

import os
import signal
import sys
import threading

import pytest
import typer

from napari_clip_heatmap.cli.option_values import parse_part
from napari_clip_heatmap.cli.run_plan import RunPlan, stopping


@pytest.mark.parametrize(
    ("plan", "word"),
    [
        (RunPlan(workers=2, part=(0, 3)), "--workers and --part"),
        (RunPlan(workers=2, scheduler="tcp://a:1"), "--workers and --scheduler"),
        (RunPlan(tls=("a", "b", "c")), "--scheduler"),
        (RunPlan(scheduler="tls://a:1", tls=("a", None, "c")), "belong together"),
    ],
)
def test_what_excludes_each_other(plan: RunPlan, word: str) -> None:
    with pytest.raises(typer.BadParameter, match=word):
        plan.check()


def test_what_goes_together() -> None:
    for plan in (
        RunPlan(),
        RunPlan(workers=8),
        RunPlan(part=(1, 2)),
        RunPlan(scheduler="tls://a:1", tls=("a", "b", "c")),
    ):
        plan.check()


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "-1/3", "1/2/3"])
def test_parts_that_are_none(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="--part"):
        parse_part(text)
    assert parse_part("3/3") == (2, 3)
    assert parse_part(None) is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_the_first_interrupt_waits_and_the_second_does_not() -> None:
    assert threading.current_thread() is threading.main_thread()

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with stopping() as stop:
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        assert not stop.is_asked()
        stop.begin()
        interrupt()
        assert stop.is_asked()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    assert signal.getsignal(signal.SIGINT) is before
