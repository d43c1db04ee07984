"""Lists of prompts: always with what is asked for; the report's figures are those of the AUROCs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_clip_heatmap.evaluation.meaning.known_images import draw_known
from napari_clip_heatmap.evaluation.meaning.prompt_lists import (
    PromptListReport,
    draw_list,
    measure_prompt_lists,
)
from napari_clip_heatmap.pipeline.score_registry import SCORES
from napari_clip_heatmap.scenes.vocabulary import NAMES

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel


@pytest.mark.parametrize("seed", range(20))
def test_a_list_names_what_is_wanted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (known,) = draw_known(seed, 1, 96)
    asked = draw_list(rng, "nuclei", known, ("wug", "dax"))
    assert 1 <= len(asked) <= 12
    assert "nuclei" in asked.values()
    for prompt, named in asked.items():
        assert not named or prompt in NAMES[named]


def test_the_figures_are_those_of_the_lists(tmp_path: Path) -> None:
    report = PromptListReport("x", ("a", "b"), {"relative": ((1.0, 0.5), (0.2,))})
    assert "| relative | 0.475 | 0.350 | 0.215 | 0.200 | 0.750 | 0.200 |" in str(report)
    report.write(tmp_path)
    values = json.loads((tmp_path / "prompt-lists.json").read_text("utf-8"))
    assert values["auroc"] == {"relative": [[1.0, 0.5], [0.2]]}


def test_every_score_without_a_baseline_is_measured(demo: ClipModel) -> None:
    done: list[tuple[int, int]] = []
    report = measure_prompt_lists(
        demo, data=None, n_scenes=3, seed=5, progress=lambda *count: done.append(count)
    )
    assert set(report.values) == {name for name in SCORES if name != "contrast"}
    assert done[-1] == (3, 3)
    assert {len(lists) for lists in report.values.values()} == {len(report.kinds)}
    assert all(
        0 <= value <= 1 for lists in report.values.values() for each in lists for value in each
    )
