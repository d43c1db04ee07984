from __future__ import annotations

import sys

import pytest

from napari_clip_heatmap._napari import demo as display
from napari_clip_heatmap._napari.demo import why_no_display


def test_an_invisible_platform_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert why_no_display() == "QT_QPA_PLATFORM is offscreen"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a display is a given")
def test_linux_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert why_no_display() == "there is no display"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a display is a given")
def test_a_display_that_is_gone_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":987")
    reason = why_no_display()
    assert reason
    assert "display" in reason


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        ("pass", None),
        ("raise ImportError('no Qt binding')", "ImportError: no Qt binding"),
        ("raise SystemExit(3)", "Qt ended without a word"),
    ],
)
def test_the_probe_s_word_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, probe: str, reason: str | None
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(display, "PROBE", probe)
    assert why_no_display() == reason


def test_a_qt_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(display, "PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(display, "SECONDS", 1)
    assert why_no_display() == "Qt did not answer within 1 s"
