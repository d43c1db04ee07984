"""Shapes are compared on equal terms, with one that open_clip's configuration cannot name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training.configurations import CONFIGURATIONS, configuration, widen_stem
from training.export import TextIds
from training.figures import FigureRequest
from training.network import embed
from training.trials import Trial, compare_scales, run_trial, table

import napari_clip_heatmap as nch
from napari_clip_heatmap.scenes import draw

DEMO = Path(nch.__file__).parent / "demo"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A text tower that knows nothing."""
    torch.manual_seed(0)
    clip = TextIds(32).compact_clip(configuration("base"))
    torch.save(clip.state_dict(), tmp_path / "language.pt")
    return tmp_path


@pytest.mark.usefixtures("muon")
@pytest.mark.parametrize(("name", "start"), [("larger-view", None), ("overlapping-stem", DEMO)])
def test_a_trial_gives_a_row(run: Path, name: str, start: Path | None) -> None:
    row = run_trial(name, run, 1e-3, FigureRequest(n_scenes=1), seed=0, start=start)
    assert row["name"] == name
    assert row["views"] == 16 * 96**2 // configuration(name)["vision_cfg"]["image_size"] ** 2
    assert 1 < row["MB"] < 20
    assert 0 <= row["drawn all pixels"] <= 1
    assert name in table([row])


def test_a_trial_sees_pictures_as_the_model_it_started_from(run: Path) -> None:
    picture = draw(3, (96, 96)).image.astype("float32") / 255
    found = Trial("base", run, 0, DEMO).model()
    expected = nch.load_model("demo", device="cpu")
    pairs = [model.preprocess(picture[None]) for model in (found, expected)]
    torch.testing.assert_close(*pairs, atol=1e-5, rtol=0)


def test_a_wider_stem_changes_nothing_before_it_learns() -> None:
    torch.manual_seed(0)
    tower = TextIds(32).compact_clip(configuration("base")).eval().visual
    images = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        before, own = embed(tower, images)[0], tower(images)
        widen_stem(tower)
        after, own_after = embed(tower, images)[0], tower(images)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)
    torch.testing.assert_close(own_after, own, atol=1e-4, rtol=0)


def test_every_shape_can_be_started_and_is_named() -> None:
    for name in CONFIGURATIONS:
        vision = configuration(name)["vision_cfg"]
        rows = vision["image_size"] // vision["patch_size"]
        assert vision["width"] // vision["head_width"] == 8
        assert vision["head_width"] >= 2 * rows or name == "larger-view"
    with pytest.raises(ValueError, match="base"):
        configuration("huge")


def test_sizes_are_measured_beside_their_means() -> None:
    model = nch.load_model("demo", device="cpu")
    text = compare_scales(model, None, 2, [1, 2])
    assert text.startswith("| what | 1 | 2 | 1 + 2 |")
    alone = compare_scales(model, None, 2, [1])
    rows, expected = ([line.split(" | ") for line in each.splitlines()] for each in (text, alone))
    assert [row[1] for row in rows[2:]] == [row[1].removesuffix(" |") for row in expected[2:]]
