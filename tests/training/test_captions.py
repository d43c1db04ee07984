"""Captions are true of what they describe, and use only words of the vocabulary."""

from __future__ import annotations

import string

import numpy as np
import pytest
from training.captions import (
    FALSE,
    TRUE,
    UNCLEAR,
    Caption,
    Content,
    caption_set,
    truth,
    truths,
    vocabulary,
    with_implied,
)
from training.export import TextIds
from training.typos import typos

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


@pytest.mark.parametrize(
    ("asked", "seen", "state"),
    [
        ("histology", "stained", TRUE),
        ("brightfield", "smear", UNCLEAR),
        ("EM", "SEM", TRUE),
        ("SEM", "EM", UNCLEAR),
        ("smear", "fluorescence", FALSE),
        ("fluorescence", "fluorescence", TRUE),
    ],
)
def test_kinds_of_pictures_contain_one_another(asked: str, seen: str, state: int) -> None:
    assert truth(Caption("x", modality=asked), Content({}, {}, {}, seen)) == state


def test_what_follows_from_a_class_is_true_and_what_nobody_labels_is_unclear() -> None:
    found = with_implied({"actin": TRUE, "bacteria": UNCLEAR}, ["cells", "actin"])
    assert found == {"actin": TRUE, "filaments": TRUE, "bacteria": UNCLEAR, "cells": UNCLEAR}


def test_many_truths_are_those_of_single_captions() -> None:
    rng = np.random.default_rng(1)
    contents = [CONTENT, EMPTY, Content({"cells": UNCLEAR}, {}, {}, "phase")] * 3
    captions, states = caption_set(rng, contents)
    expected = [[truth(caption, content) for caption in captions] for content in contents]
    np.testing.assert_array_equal(states, expected)
    np.testing.assert_array_equal(truths(captions, contents), expected)


def test_every_caption_is_made_of_known_words_or_slips_of_them() -> None:
    rng = np.random.default_rng(0)
    known, ids = set(vocabulary()), TextIds(32)
    slips = {typo for word in known for typo in typos(word)}
    mistyped = 0
    for _ in range(20):
        captions, states = caption_set(rng, [CONTENT, EMPTY] * 10)
        assert states.shape == (20, len(captions))
        for caption in captions:
            words = caption.text.replace(",", " ").replace("-", " ").split()
            unknown = {word.strip(string.punctuation) for word in words} - known
            assert unknown <= slips
            mistyped += bool(unknown)
        ids([caption.text for caption in captions])  # raises where a token is outside
    assert 20 < mistyped < 400
