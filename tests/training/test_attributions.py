"""Every source is named, with as many pictures as it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from training.attributions import attribution_table

from napari_clip_heatmap.evaluation.micrographs.micrograph_index import read_micrographs


def test_every_source_is_named_once(micrographs: Path) -> None:
    listed = read_micrographs(micrographs)
    other = replace(listed[0], attribution="bright, Ada | Grace, CC BY 4.0")
    lines = attribution_table([*listed, other]).splitlines()
    assert lines[2:] == ["| bright | 3 |", "| bright, Ada / Grace, CC BY 4.0 | 1 |", "| dark | 3 |"]
