"""PASCAL VOC-21 on a tiny copy in the same form."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.evaluation.benchmarks import run_voc21
from napari_clip_heatmap.evaluation.benchmarks.voc21 import (
    VOC21_BARE_NAMES,
    VOC21_OFFICIAL_NAMES,
)

STEMS = ("2007_000001", "2007_000002")


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    folder = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for stem in STEMS:
        iio.imwrite(
            folder / "JPEGImages" / f"{stem}.jpg", rng.integers(0, 255, (48, 60, 3), np.uint8)
        )
        numbers = np.zeros((48, 60), np.uint8)
        numbers[10:30, 20:40] = 7
        numbers[10, :] = 255
        truth = Image.fromarray(numbers)
        truth.putpalette(rng.integers(0, 255, 768).tolist())
        truth.save(folder / "SegmentationClass" / f"{stem}.png")
    (folder / "ImageSets" / "Segmentation" / "val.txt").write_text("\n".join(STEMS) + "\n")
    return tmp_path


def test_both_lists_name_each_class() -> None:
    assert len(VOC21_BARE_NAMES) == len(VOC21_OFFICIAL_NAMES) == 21
    assert VOC21_BARE_NAMES[7] == VOC21_OFFICIAL_NAMES[7] == ("car",)


def test_figures_are_those_of_the_products_maps(tiny_model, voc: Path) -> None:
    found = run_voc21(tiny_model, voc, names="bare", templates=["{}"])
    hits = known = 0
    names = [name for (name,) in VOC21_BARE_NAMES]
    folder = voc / "VOCdevkit" / "VOC2012"
    for stem in STEMS:
        image = nch.read_image(folder / "JPEGImages" / f"{stem}.jpg")
        encoding = nch.encode(tiny_model, image, downsample=48 / (1.5 * 32))
        winner = encoding.heatmaps(names, "absolute").values.argmax(axis=0)
        truth = np.asarray(Image.open(folder / "SegmentationClass" / f"{stem}.png"))
        hits += (winner == truth)[truth != 255].sum()
        known += (truth != 255).sum()
    row = found.rows["exact, bare names"]
    assert row["pixel accuracy"] == pytest.approx(hits / known, abs=2e-3)
    assert found.n_images == 2


def test_a_class_takes_the_highest_of_its_names(tiny_model, voc: Path, tmp_path: Path) -> None:
    steps = []
    found = run_voc21(
        tiny_model,
        voc / "VOCdevkit",
        templates=["{}"],
        methods=["exact", "maskclip"],
        limit=1,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(1, 1)]
    assert list(found.rows) == ["exact, official names", "maskclip, official names"]
    text, numbers = found.write(tmp_path / "out")
    assert "published: NACLIP" in text.read_text()
    assert json.loads(numbers.read_text())["n_images"] == 1


def test_another_folder_is_refused(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"val\.txt"):
        run_voc21(tiny_model, tmp_path)


def test_unknown_settings_are_refused(tiny_model, voc: Path) -> None:
    with pytest.raises(SettingsError, match="'official', 'bare'"):
        run_voc21(tiny_model, voc, names="mine")
    with pytest.raises(SettingsError, match="'legrad'"):
        run_voc21(tiny_model, voc, methods=["legrad"])
