from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pint
import pytest

from napari_clip_heatmap._napari.controllers import status
from napari_clip_heatmap._napari.controllers.background import UnexpectedError
from napari_clip_heatmap._napari.controllers.status import (
    merged_notes,
    report_failure,
    resolution_text,
    summary,
    time_left,
    unknown_words_of,
)
from napari_clip_heatmap._napari.inputs.pixel_size import ModelSizes
from napari_clip_heatmap._napari.job.request import HeatmapResult, ResultStatus
from napari_clip_heatmap._napari.state import DockState
from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.pipeline.score_registry import Note, NoteKind

UNITS = pint.get_application_registry()


@pytest.fixture
def answer():
    lattice = plan_lattice((200, 300), (100, 150), patch=(8, 8), tile=(64, 64), overlap=0.5)
    return HeatmapResult(
        stack=SimpleNamespace(lattice=lattice, planes=((),)),
        limits=(),
        scoring=None,
        keys=("a", "b"),
        similarity=np.zeros(2, np.float32),
        unowned=np.zeros(2, np.float32),
        tiling={},
        encodings={},
        tiles=12,
        seconds=1.2345,
        status=ResultStatus.COMPLETE,
    )


def test_says_what_was_done_and_how_fine_it_is(answer):
    pixels = (UNITS.pixel, UNITS.pixel)
    expected = "2 prompts, 12 tiles, 1.2 s; one patch = 16 px"
    assert summary(answer, (1, 1), pixels) == expected
    again = replace(answer, tiles=0, keys=("a",))
    assert summary(again, (1, 1), pixels).startswith("1 prompt, encoded before, ")


def test_gives_the_patch_in_the_images_unit(answer):
    line = summary(answer, (-0.325, 0.325), (UNITS.micrometer, UNITS.micrometer))
    assert line.endswith("one patch = 5.2 µm")
    line = summary(answer, (0.65, 0.325), (UNITS.micrometer, UNITS.micrometer))
    assert line.endswith("one patch = 10.4 x 5.2 µm"), "pixels that are not square"


def test_counts_slices(answer):
    pixels = (UNITS.pixel, UNITS.pixel)
    picture = SimpleNamespace(lattice=answer.stack.lattice, planes=((0,), (1,), (2,)))
    stack = replace(answer, stack=picture)
    assert summary(stack, (1, 1), pixels).startswith("2 prompts, 3 slices, 12 tiles, ")


def test_words_the_model_never_met_are_found_in_the_words_of_examples(answer):
    def unknown_words(words):
        return tuple(word for word in words.split() if word.startswith("xy"))

    mixed, alone = SimpleNamespace(words="green - xyloid"), SimpleNamespace(words="")
    scoring = SimpleNamespace(
        prompts=("red", "xylem", "mine", "xylan"), examples={"mine": mixed, "xylan": alone}
    )
    text = SimpleNamespace(unknown_words=unknown_words)
    encodings = {(): SimpleNamespace(text=text)}
    shown = SimpleNamespace(result=replace(answer, scoring=scoring, encodings=encodings))
    assert unknown_words_of(shown) == {"xylem": ("xylem",), "mine": ("xyloid",)}


def test_says_how_far_the_model_sees():
    sizes = ModelSizes(tile=(224, 224), patch=(16, 16))
    metric = (UNITS.micrometer, UNITS.micrometer)
    assert resolution_text(sizes, 1, (0.2, 0.2), metric) == "one patch = 3.2 µm, a tile = 44.8 µm"
    assert (
        resolution_text(sizes, 2, (1, 1), (UNITS.pixel,) * 2)
        == "one patch = 32 px, a tile = 448 px"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.2, ", 1 s left"),
        (59, ", 59 s left"),
        (90, ", 2 min left"),
        (9000, ", 2.5 h left"),
    ],
)
def test_says_how_long_it_takes(seconds, words):
    assert time_left(seconds) == words


def test_notes_of_one_kind_are_shown_once():
    score = Note("Two maps mirror one another.", NoteKind.MIRRORED_MAPS)
    verdict = Note("The maps of 'a' and 'b' are mirrors.", NoteKind.MIRRORED_MAPS)
    assert merged_notes(("Range.", score), (verdict, "Resolution.")) == (
        "Range.",
        score,
        "Resolution.",
    )
    assert merged_notes(("Range.",), (verdict,)) == ("Range.", verdict)


@pytest.mark.parametrize(
    ("failure", "said", "shown"),
    [
        ("no image", "no image", ["no image"]),
        (PromptError("no words"), "no words", ["no words"]),
        # napari has shown it
        (UnexpectedError("a fault"), "UnexpectedError: a fault", []),
    ],
)
def test_a_failure_is_in_the_status_line_and_shown_once(monkeypatch, failure, said, shown):
    heard = []
    monkeypatch.setattr(status, "show_error", heard.append)
    state = DockState()
    report_failure(state, failure)
    assert state.message == f"Not done: {said}"
    assert heard == shown
