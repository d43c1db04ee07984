"""OpenCV, imported without changing the environment.

On Linux, importing the ``opencv-python`` wheel points ``QT_QPA_PLATFORM_PLUGIN_PATH``,
``QT_QPA_FONTDIR`` and ``LD_LIBRARY_PATH`` at its own Qt, which can keep napari's Qt from starting.
Import OpenCV from here, so that the environment stays as the user set it.
"""

from __future__ import annotations

import os

__all__ = ["cv2"]

_before = dict(os.environ)
import cv2  # noqa: E402

for _name in set(os.environ) - set(_before):
    del os.environ[_name]
for _name, _value in _before.items():
    if os.environ.get(_name) != _value:
        os.environ[_name] = _value
