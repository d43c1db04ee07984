"""Copies of ImageNet-Segmentation, a few pixels large."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest


@pytest.fixture
def write_mat() -> Callable[[Path, Sequence[np.ndarray], Sequence[np.ndarray]], None]:
    """Write pictures and masks as the authors' file has them: columns first, by references."""

    def write(path: Path, images: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> None:
        with h5py.File(path, "w") as file:
            kept = file.create_group("#refs#")
            rows: dict[str, list[h5py.Reference]] = {"img": [], "gt": []}
            for number, (image, truth) in enumerate(zip(images, truths, strict=True)):
                picture = kept.create_dataset(f"i{number}", data=image.transpose(2, 1, 0))
                mask = kept.create_dataset(f"m{number}", data=truth.T)
                cell = kept.create_dataset(f"c{number}", (1, 1), dtype=h5py.ref_dtype)
                cell[0, 0] = mask.ref
                rows["img"].append(picture.ref)
                rows["gt"].append(cell.ref)
            for name, references in rows.items():
                shape = len(references), 1
                table = file.create_dataset(f"value/{name}", shape, dtype=h5py.ref_dtype)
                for number, reference in enumerate(references):
                    table[number, 0] = reference

    return write
