from __future__ import annotations

import subprocess
import sys

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="opencv-python sets these on Linux")

CHECK = """
import os
os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
os.environ["QT_QPA_FONTDIR"] = "the user's own"
before = dict(os.environ)
{statement}
after = dict(os.environ)
print(sorted(name for name in {{*before, *after}} if before.get(name) != after.get(name)))
"""


def changed_by(statement):
    run = subprocess.run(
        [sys.executable, "-c", CHECK.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


def test_environment_is_left_as_it_was():
    assert changed_by("from napari_clip_heatmap.imaging.opencv import cv2; cv2.resize") == "[]"


@LINUX
def test_plain_import_would_change_it():
    # If this fails, opencv-python has mended its ways and our door to it can go.
    assert "QT_QPA" in changed_by("import cv2")
