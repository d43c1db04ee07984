"""Objects of two prompts, with a hole, touching neighbors and a part that lies apart."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.annotation.objects import Objects

RECORD = {
    "model": {"name": "demo", "weights_sha256": "0" * 64},
    "score": "relative",
    "prompts": ["nuclei", "red | rbc"],
    "pixel_size": [0.5, 0.25],
    "unit": "micrometer",
}


def make_objects(labels, prompts, record=RECORD):
    numbers = np.unique(labels[labels > 0])
    return Objects(
        labels=labels,
        table=Table(
            {
                "label": numbers.astype(labels.dtype),
                "prompt": np.array([prompts[n % len(prompts)] for n in numbers], object),
                "area": np.unique(labels[labels > 0], return_counts=True)[1],
                "mean": np.where(numbers == 2, np.nan, numbers / 4).astype(np.float32),
                "verdict": np.array(["clear"] * len(numbers), object),
            }
        ),
        notes=(),
        record=record,
    )


@pytest.fixture
def labels():
    drawn = np.zeros((90, 70), np.int32)
    drawn[5:40, 5:40] = 1
    drawn[15:25, 15:25] = 0
    drawn[18:22, 18:22] = 3
    drawn[5:40, 40:60] = 2
    drawn[60:70, 10:20] = 4
    drawn[70:80, 20:30] = 4
    return drawn


@pytest.fixture
def objects(labels):
    """Labels 1 and 3 are "red | rbc", 2 and 4 "nuclei"."""
    return make_objects(labels, RECORD["prompts"])


@pytest.fixture
def nothing():
    return make_objects(np.zeros((90, 70), np.int32), ["nuclei"], {**RECORD, "prompts": ["nuclei"]})


@pytest.fixture
def make():
    return make_objects
