"""Limits from images of which it is known what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from napari_clip_heatmap.errors import Cancelled
from napari_clip_heatmap.evaluation.meaning.calibrate import calibrate_model
from napari_clip_heatmap.pipeline.calibration import find_calibration

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel


def test_limits_separate_what_is_there_from_what_is_not(demo: ClipModel) -> None:
    progress: list[tuple[int, int]] = []
    made = calibrate_model(demo, n_scenes=12, seed=7, progress=lambda *done: progress.append(done))
    assert progress[-1] == (20, 20)
    assert made.weights_sha256 == demo.weights_sha256
    assert made.low < made.high
    assert 0 < made.flat_tiles <= made.uniform_tiles
    assert made.text.none < made.text.good
    assert made.top > 0
    bundled = find_calibration(demo.weights_sha256)
    assert bundled is not None
    assert made.text.none == pytest.approx(bundled.text.none, rel=0.15)
    assert all(0 <= rate <= 100 for rate in made.figures.values())
    assert any("present" in name for name in made.figures)


def test_it_can_be_stopped(demo: ClipModel) -> None:
    with pytest.raises(Cancelled, match="nothing was written"):
        calibrate_model(demo, n_scenes=10, stopped=lambda: True)
