"""Evaluations by name: each runs, and one that does not exist is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.evaluation.special_reports import SpecialRequest, run_special

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel


def run(model: ClipModel, what: str, tmp_path: Path, n_scenes: int = 3) -> tuple[object, Path]:
    request = SpecialRequest(what, None, n_scenes, 5)
    return run_special(model, request, tmp_path, lambda done, total: None)


def test_what_does_not_exist_is_refused(demo: ClipModel, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="accepted: examples, faithfulness"):
        run(demo, "beauty", tmp_path)
    with pytest.raises(SettingsError, match="needs the folder"):
        run(demo, "voc", tmp_path)


def test_a_comparison_of_maps_is_written(tiny_model: ClipModel, tmp_path: Path) -> None:
    report, path = run(tiny_model, "localization", tmp_path)
    assert path == tmp_path / "localization.json"
    assert path.is_file()
    assert "exact" in str(report)
