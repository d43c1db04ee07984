"""Data as the evaluation expects it, and the bundled model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest

import napari_clip_heatmap as nch

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel


@pytest.fixture(scope="package")
def demo() -> ClipModel:
    """Return the bundled model."""
    return nch.load_model("demo", device="cpu")


@pytest.fixture
def real_data(tmp_path: Path) -> Path:
    """One labelled image and one smear with boxes, laid out as the evaluation expects them."""
    rng = np.random.default_rng(0)
    (tmp_path / "nuclei").mkdir()
    (tmp_path / "blood").mkdir()
    labels = np.zeros((40, 50), np.uint16)
    labels[10:20, 10:30] = 7
    iio.imwrite(tmp_path / "nuclei" / "stained_1.png", rng.integers(0, 255, (40, 50, 3), np.uint8))
    iio.imwrite(tmp_path / "nuclei" / "stained_1_labels.png", labels)
    iio.imwrite(tmp_path / "blood" / "a.png", rng.integers(0, 255, (40, 50, 3), np.uint8))
    boxes = {"a.png": [{"name": "RBC", "box": [-3, 5, 20, 25]}]}
    (tmp_path / "blood" / "boxes.json").write_text(json.dumps(boxes))
    return tmp_path
