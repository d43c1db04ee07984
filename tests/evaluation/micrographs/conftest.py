"""A small folder of pictures with an index, as `read_micrographs` expects it."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

_SIDE = 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures of three specimens of two sources; two have truth."""
    rng = np.random.default_rng(0)
    labels = np.zeros((_SIDE, _SIDE), np.uint8)
    labels[5:20, 5:20], labels[25:35, 5:20] = 1, 2
    iio.imwrite(tmp_path / "labels.png", labels)
    boxes = {"4.png": [{"name": "cell", "box": [-3, 2, 20, 12]}]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    entries = []
    for number in range(6):
        name = f"{number}.png"
        iio.imwrite(tmp_path / name, rng.integers(0, 255, (_SIDE, _SIDE), np.uint8))
        entries.append(
            {
                "file": name,
                "source": "north" if number < 4 else "south",
                "group": f"specimen {number // 2}",
                "modality": "fluorescence",
                "classes": ["nucleus"] if number % 2 else ["nucleus", "cell"],
                "caption": ["nuclei", "DNA stain"],
                "attribution": "someone",
                "licence": "CC0",
            }
        )
    entries[1] |= {
        "truth": "labels.png",
        "truth_kind": "semantic",
        "truth_legend": {"1": "small nucleus", "2": "debris", "3": "a profile; not a name"},
    }
    entries[4] |= {"truth": "boxes.json", "truth_kind": "boxes"}
    (tmp_path / "index.json").write_text(json.dumps(entries))
    return tmp_path
