"""Figures are those of what is measured: right for what is right, chance for what knows nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from training.figures import measure_teacher, measure_words
from training.lexicon import CLASS_OF, LEXICON

from napari_clip_heatmap.scenes import CLASSES, draw
from training import figures


class _Words:
    """A text tower that knows the lexicon by heart, and answers everything else with one class."""

    def encode_text(self, texts):
        rows = [list(LEXICON).index(CLASS_OF.get(text, "yeast")) for text in texts]
        return torch.eye(len(LEXICON))[rows]


def test_words_by_heart_carry_to_no_other_words():
    found = measure_words(_Words())
    assert found["unseen synonyms"] < 0.1
    assert found["slips"] < 0.1


@pytest.mark.parametrize("knows", [True, False])
def test_the_teacher_is_measured_on_drawn_scenes(knows, monkeypatch):
    scenes = []

    def remembered(seed, size):
        scenes.append(draw(seed, size))
        return scenes[-1]

    def teacher(pixels, texts):
        size = (pixels.shape[2] // 4, pixels.shape[3] // 4)
        maps = torch.randn(1, len(CLASSES), *size, generator=torch.Generator().manual_seed(0))
        if knows:
            for name, mask in scenes[-1].masks.items():
                cells = mask.reshape(size[0], 4, size[1], 4).mean((1, 3))
                maps[0, CLASSES.index(name)] += torch.from_numpy(40 * cells.astype(np.float32))
        return maps

    monkeypatch.setattr(figures, "draw", remembered)
    found = measure_teacher(teacher, torch.zeros(len(CLASSES), 4), n_scenes=6)
    expected = (0.9, 1.0) if knows else (0.4, 0.6)
    assert expected[0] < found["drawn all pixels"] <= expected[1]
    assert expected[0] < found["drawn median"] <= expected[1]
