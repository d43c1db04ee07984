"""Real pictures for tests of training: two sources that are told apart at a glance."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from training.real_pictures import RealPictures

from napari_clip_heatmap.evaluation.micrographs.micrograph_index import read_micrographs


@pytest.fixture
def muon() -> None:
    """Skip a test that trains where this PyTorch cannot: the package needs less than training."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("training needs PyTorch 2.9 or newer")


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    """A folder of pictures with an index: bright neurons, dark cracks, three specimens each."""
    folder = tmp_path / "micrographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    entries = []
    for number in range(6):
        is_bright = number % 2 == 0
        pixels = rng.integers(150, 250, (70, 90, 3)) if is_bright else rng.integers(5, 60, (70, 90))
        iio.imwrite(folder / f"{number}.png", pixels.astype(np.uint8))
        entries.append(
            {
                "file": f"{number}.png",
                "source": "bright" if is_bright else "dark",
                "group": str(number),
                "modality": "brightfield",
                "classes": ["neuron"] if is_bright else ["crack", "pore"],
                "caption": ["pyramidal neuron", "living cell"] if is_bright else ["fissures"],
            }
        )
    (folder / "index.json").write_text(json.dumps(entries))
    return folder


@pytest.fixture
def pictures(micrographs: Path, tmp_path: Path) -> RealPictures:
    """Return the same, decoded."""
    return RealPictures(read_micrographs(micrographs), tmp_path / "decoded")
