"""Folders of the user's own: what they show is said, or they are refused."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from napari_clip_heatmap.errors import SettingsError
from napari_clip_heatmap.evaluation.meaning.listed_images import read_known_folder, read_negatives


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png"):
        iio.imwrite(tmp_path / name, np.zeros((20, 30, 3), np.uint8))
    return tmp_path


@pytest.mark.parametrize("form", ["csv", "json"])
def test_names_are_present_where_listed_and_absent_elsewhere(folder: Path, form: str) -> None:
    if form == "csv":
        (folder / "present.csv").write_text("file,names\na.png,yeast | buds\nb.png,buds\n")
    else:
        entries = [{"file": "a.png", "classes": ["yeast", "buds"]}]
        entries.append({"file": "b.png", "classes": ["buds"]})
        (folder / "index.json").write_text(json.dumps(entries))
    one, other = read_known_folder(folder)
    assert (one.present, one.absent) == (("yeast", "buds"), ())
    assert (other.present, other.absent) == (("buds",), ("yeast",))


def test_labels_as_evaluate_takes_them_do(real_data: Path) -> None:
    assert [known.kind for known in read_known_folder(real_data)] == ["real stained", "real blood"]


def test_images_of_unknown_content_are_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="calibrates nothing"):
        read_known_folder(folder)
    (folder / "index.json").write_text('[{"file": "a.png"}]')
    with pytest.raises(SettingsError, match="cannot be read"):
        read_known_folder(folder)


def test_negatives_show_nothing(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    found = read_negatives(folder)
    assert [known.present for known in found] == [(), ()]
    assert "nuclei" in found[0].absent
    with pytest.raises(SettingsError, match="no images"):
        read_negatives(tmp_path_factory.mktemp("empty"))
