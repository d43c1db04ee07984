"""Whether a window can open here, asked without risk."""

from __future__ import annotations

import os
import subprocess
import sys

__all__ = ["why_no_display"]

PROBE = "from qtpy.QtWidgets import QApplication; QApplication([])"
SECONDS = 60


def why_no_display() -> str | None:
    """Return why no window can open, in a few words, or None where one can.

    Qt ends the whole process where it finds no display or lacks a system library, so it is tried in
    a process of its own.
    """
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if platform in ("offscreen", "minimal"):
        return f"QT_QPA_PLATFORM is {platform}"
    if sys.platform.startswith("linux") and not (
        platform or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "there is no display"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"Qt did not answer within {SECONDS} s"
    return None if probe.returncode == 0 else _reason(probe.stderr)


def _reason(stderr: str) -> str:
    """Qt says what is wrong first, a traceback says it last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return "Qt ended without a word"
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
