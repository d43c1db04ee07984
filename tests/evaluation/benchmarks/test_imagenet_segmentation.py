"""ImageNet-Segmentation on tiny copies in both forms, with masks that lie on their pictures."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_clip_heatmap as nch
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.benchmarks import run_imagenet_segmentation
from napari_clip_heatmap.evaluation.benchmarks.imagenet_segmentation import (
    center_crop,
    foreground_scores,
)

NAMES = ["tench", "goldfish", "great white shark"]


@pytest.fixture
def pictures() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    found = []
    for shape in ((40, 64), (32, 32)):
        truth = np.zeros(shape, np.uint8)
        truth[5:25, 8:30] = 1
        image = rng.integers(0, 90, (*shape, 3), dtype=np.uint8) + truth[..., None] * 120
        found.append((image.astype(np.uint8), truth))
    return found


@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 2**31))
def test_the_mask_stays_on_its_object(height, width, seed) -> None:
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
    truth[top : top + 8, left : left + 8] = 1
    image = (truth * 255)[..., None].repeat(3, axis=2)
    seen, mask = center_crop(image, truth, (32, 32))
    assert seen.shape == (32, 32, 3)
    # But for the soft edge of the resized picture, light is where the mask is.
    differing = (seen[..., 0] > 127) != (mask > 0)
    assert differing.sum() <= 4 * 12


def test_a_picture_of_the_models_size_is_left_alone() -> None:
    image = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    truth = (image[..., 0] > 100).astype(np.uint8)
    seen, mask = center_crop(image, truth, (32, 32))
    assert np.array_equal(seen, image)
    assert np.array_equal(mask, truth)


def test_scores_are_stretched_positive_values() -> None:
    values = np.array([[-3.0, 0.0], [1.0, 4.0]], np.float32)
    assert foreground_scores(values).tolist() == [[0, 0], [0.25, 1]]
    assert not foreground_scores(np.full((2, 2), -1, np.float32)).any()


def test_both_forms_give_the_same(tiny_model, pictures, write_mat, tmp_path: Path) -> None:
    images, truths = zip(*pictures, strict=True)
    write_mat(tmp_path / "gtsegs_ijcv.mat", images, truths)
    folder = tmp_path / "folder"
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True)
    for number, (image, truth) in enumerate(pictures):
        iio.imwrite(folder / "images" / f"{number}.png", image)
        iio.imwrite(folder / "annotations" / f"{number}.png", truth)
    settings = {"class_names": NAMES, "templates": ["a photo of a {}"]}
    from_mat = run_imagenet_segmentation(tiny_model, tmp_path, **settings)
    from_folder = run_imagenet_segmentation(tiny_model, folder, **settings)
    assert from_mat.rows == from_folder.rows
    assert list(from_mat.rows) == ["exact, center crop", "exact, whole picture"]
    assert "ImageNet-Segmentation" in str(from_mat)


def test_figures_follow_from_the_products_own_maps(tiny_model, pictures, tmp_path) -> None:
    image, truth = pictures[1]
    for name, content in (("images", image), ("annotations", truth)):
        (tmp_path / name).mkdir()
        iio.imwrite(tmp_path / name / "a.png", content)
    found = run_imagenet_segmentation(
        tiny_model, tmp_path, class_names=NAMES, templates=["{}"], limit=1
    )
    maps = nch.encode(tiny_model, image).heatmaps(NAMES)
    scores = np.clip(maps.values[maps.similarity.argmax()], 0, None)
    inside = scores - scores.min() > (scores - scores.min()).mean()
    row = found.rows["exact, center crop"]
    assert row["pixel accuracy"] == pytest.approx((inside == truth).mean(), abs=2e-3)
    ious = [
        ((inside == value) & (truth == value)).sum() / ((inside == value) | (truth == value)).sum()
        for value in (False, True)
    ]
    assert row["mIoU"] == pytest.approx(np.mean(ious), abs=2e-3)
    assert found.rows["exact, whole picture"] == pytest.approx(row)  # one tile either way


def test_another_folder_is_refused(tiny_model, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gtsegs_ijcv\.mat"):
        run_imagenet_segmentation(tiny_model, tmp_path / "nowhere", class_names=NAMES)
    with pytest.raises(ImageError, match=r"'annotations/NAME\.png'"):
        run_imagenet_segmentation(tiny_model, tmp_path, class_names=NAMES)
