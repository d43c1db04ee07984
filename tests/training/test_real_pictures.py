"""Crops come from one picture at a time, and its labels are read with care."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from training.captions import FALSE, TRUE, UNCLEAR
from training.lexicon import INDEX_NAMES
from training.real_pictures import RealPictures, content_of

from napari_clip_heatmap.evaluation.micrographs.micrograph_index import (
    Micrograph,
    read_micrographs,
)


def labeled(*classes: str, modality: str = "fluorescence", caption: tuple[str, ...] = ()):
    return Micrograph(Path("x"), "source", "group", modality, classes, caption)


@pytest.mark.parametrize("side", [24, 64, 128])
def test_a_bag_shows_one_picture(pictures: RealPictures, side: int) -> None:
    for seed in range(10):
        crops, content = pictures.bag(np.random.default_rng(seed), side, 3)
        assert [crop.shape for crop in crops] == [(side, side, 3)] * 3
        is_bright = content.modality == "brightfield"
        assert all((crop.mean() > 100) == is_bright for crop in crops)
        assert content.present.get("neurons", FALSE) == (TRUE if is_bright else UNCLEAR)


def test_pictures_are_decoded_once(micrographs: Path, tmp_path: Path) -> None:
    listed = read_micrographs(micrographs)
    first = RealPictures(listed, tmp_path / "decoded")
    for path in micrographs.glob("*.png"):
        path.unlink()
    second = RealPictures(listed, tmp_path / "decoded")
    for number in range(len(second)):
        assert np.array_equal(first.picture(number), second.picture(number))
    assert second.picture(0).shape == (70, 90, 3)
    assert second.picture(1).shape == (70, 90, 1)


def test_what_a_picture_may_show_without_a_label_is_unclear() -> None:
    content = content_of(labeled("nucleus"))
    assert content.present["nuclei"] == TRUE
    assert content.present["cells"] == UNCLEAR
    assert "bacteria" not in content.present


def test_captions_name_classes_too() -> None:
    content = content_of(labeled("metal", caption=("grain boundaries", "shining")))
    assert content.present["grain boundaries"] == TRUE
    assert content_of(labeled("microtubule")).present["filaments"] == TRUE


def test_stained_blood_is_a_smear() -> None:
    assert content_of(labeled("red blood cell", modality="brightfield")).modality == "smear"
    assert content_of(labeled("yeast", modality="brightfield")).modality == "brightfield"


def test_index_names_are_singular_or_canonical() -> None:
    for name, canonical in [
        ("nucleus", "nuclei"),
        ("mitochondria", "mitochondria"),
        ("fibre", "fibers"),
        ("oxide layer", "oxide layer"),
        ("embryo", "embryo"),
        ("white blood cell", "white blood cells"),
    ]:
        assert INDEX_NAMES[name] == canonical
