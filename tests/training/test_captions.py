"""Captions are true of what they describe, and use only words of the vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from training.captions import FALSE, TRUE, UNCLEAR, Caption, Content, caption_set, truth, vocabulary
from training.export import TextIds

CONTENT = Content(
    present={"nuclei": TRUE, "bacteria": UNCLEAR},
    coverage={"nuclei": 0.3, "bacteria": 0.001},
    colors={"nuclei": "blue"},
    modality="fluorescence",
)
EMPTY = Content({}, {}, {}, "brightfield")


@pytest.mark.parametrize(
    ("caption", "state"),
    [
        (Caption("nuclei", ("nuclei",)), TRUE),
        (Caption("filaments", ("filaments",)), FALSE),
        (Caption("bacteria", ("bacteria",)), UNCLEAR),
        (Caption("nuclei and bacteria", ("nuclei", "bacteria")), UNCLEAR),
        (Caption("nuclei and filaments", ("nuclei", "filaments")), FALSE),
        (Caption("blue nuclei", ("nuclei",), color="blue"), TRUE),
        (Caption("red nuclei", ("nuclei",), color="red"), FALSE),
        (Caption("dense nuclei", ("nuclei",), density="dense"), TRUE),
        (Caption("sparse nuclei", ("nuclei",), density="sparse"), FALSE),
        (Caption("blood", modality="smear"), FALSE),
        (Caption("background", is_empty=True), FALSE),
    ],
)
def test_truth(caption: Caption, state: int) -> None:
    assert truth(caption, CONTENT) == state


def test_truth_of_an_empty_view() -> None:
    assert truth(Caption("background", is_empty=True), EMPTY) == TRUE
    assert truth(Caption("nuclei", ("nuclei",)), EMPTY) == FALSE


def test_every_caption_is_made_of_known_words() -> None:
    rng = np.random.default_rng(0)
    known, ids = set(vocabulary()), TextIds(32)
    for _ in range(20):
        captions, states = caption_set(rng, [CONTENT, EMPTY] * 10)
        assert states.shape == (20, len(captions))
        for caption in captions:
            assert set(caption.text.replace(",", " ").split()) <= known
        ids([caption.text for caption in captions])  # raises where a token is outside
