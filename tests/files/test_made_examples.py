"""Examples asked for in the shell: how the text is read, and what is made of it."""

from __future__ import annotations

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.files.made_examples import ExampleRequest, make_examples, parse_example


@pytest.fixture
def files(tmp_path):
    for name in ("cells.tif", "with:colon.tif"):
        (tmp_path / name).touch()
    (tmp_path / "points.csv").write_text("y,x,sign\n4,4,+\n20,20,-\n")
    return tmp_path


def test_name_image_and_points_are_told_apart(files):
    for image in ("cells.tif", "with:colon.tif"):
        asked = parse_example(f"my vesicles={files / image}:{files / 'points.csv'}")
        assert asked == ExampleRequest("my vesicles", files / image, files / "points.csv")
        assert asked.needs_model


def test_saved_examples_and_encodings_need_no_model(files):
    assert not parse_example(f"mine={files / 'saved.yaml'}").needs_model
    assert not ExampleRequest("mine", files / "a.zarr.zip", files / "points.csv").needs_model


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mine", "names no file"),
        ("mine=", "names no file"),
        ("mine=cells.tif", "no points"),
        ("mine=none.tif:none.csv", "no file 'none.tif'"),
        ("a | b=cells.tif:points.csv", "synonyms"),
        ("=cells.tif:points.csv", "word"),
    ],
)
def test_other_texts_are_refused_in_words(files, monkeypatch, text, said):
    monkeypatch.chdir(files)
    with pytest.raises(PromptError, match=said):
        parse_example(text)


def test_missing_points_are_named(files):
    with pytest.raises(PromptError, match=r"other\.csv"):
        parse_example(f"mine={files / 'cells.tif'}:{files / 'other.csv'}")


def test_examples_of_images_encodings_and_files_are_the_same(files, tiny_model):
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    encoding = nch.encode(tiny_model, image)
    saved = encoding.save(files / "cells_encoding.zarr.zip")
    expected = encoding.example([(4, 4)], [(20, 20)], name="mine")
    expected.save(files / "saved.yaml")
    requests = [
        parse_example(f"mine={files / 'cells.tif'}:{files / 'points.csv'}"),
        parse_example(f"mine={saved}:{files / 'points.csv'}"),
        parse_example(f"mine={files / 'saved.yaml'}"),
    ]
    asked = []

    def encode(path):
        asked.append(path)
        return encoding

    assert make_examples(requests, encode) == (expected,) * 3
    assert asked == [files / "cells.tif"]
