"""Gibberish is flagged and words for what is there are not, on prompts and scenes held out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import imageio.v3 as iio
import numpy as np
import pytest
from typer.testing import CliRunner

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.evaluation.choice import cover
from napari_clip_heatmap.evaluation.gibberish import CLASSIC, UNRELATED, draw_gibberish
from napari_clip_heatmap.evaluation.meaning.asked_prompts import (
    ABSENT,
    FALSE_GROUPS,
    PRESENT,
    gibberish,
)
from napari_clip_heatmap.evaluation.verdict_chart import draw_distribution
from napari_clip_heatmap.evaluation.verdict_report import VerdictReport, is_gibberish
from napari_clip_heatmap.evaluation.verdict_trial import JudgedPrompt, measure_verdicts
from napari_clip_heatmap.pipeline.calibration import TextLimits
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.pipeline.verdicts import assess
from napari_clip_heatmap.scenes import SAMPLE_PROMPTS, sample_scene

if TYPE_CHECKING:
    from napari_clip_heatmap.clip.model import ClipModel

HELD_OUT = 12_000_000


@pytest.fixture(scope="module")
def judged(demo: ClipModel) -> tuple[JudgedPrompt, ...]:
    """The sample of the demo and a few scenes that nothing was calibrated with."""
    return measure_verdicts(
        demo,
        data=None,
        n_scenes=5,
        seed=HELD_OUT,
        n_gibberish=15,
        progress=lambda done, total: None,
    )


def test_all_gibberish_is_flagged(judged: tuple[JudgedPrompt, ...]) -> None:
    nonsense = [each for each in judged if is_gibberish(each.group)]
    assert len({each.prompt for each in nonsense}) > 80
    assert [each for each in nonsense if each.trust is not Trust.NONE] == []


def test_hardly_a_word_for_what_is_there_is_flagged(judged: tuple[JudgedPrompt, ...]) -> None:
    named = [each for each in judged if each.group == PRESENT]
    assert len(named) > 40
    assert np.mean([each.trust is Trust.NONE for each in named]) <= 0.03
    assert np.mean([each.trust is Trust.GOOD for each in named]) > 0.5


def test_what_is_not_there_is_hardly_trusted(judged: tuple[JudgedPrompt, ...]) -> None:
    absent = [each for each in judged if each.group == ABSENT]
    assert np.mean([each.trust is Trust.GOOD for each in absent]) <= 0.05
    never = [each for each in judged if each.group in FALSE_GROUPS]
    assert len(never) > 20
    assert [each for each in never if each.trust is Trust.GOOD] == []


def test_nothing_is_trusted_on_a_picture_without_content(judged: tuple[JudgedPrompt, ...]) -> None:
    blank = [each for each in judged if each.source in ("constant", "nearly constant", "ramp")]
    assert len(blank) > 500
    assert [each for each in blank if each.trust is Trust.GOOD] == []


def test_what_the_demo_asks_is_good(demo: ClipModel) -> None:
    found = assess(nch.encode(demo, sample_scene()), SAMPLE_PROMPTS, "absolute")
    assert [check.trust for check in found.checks] == [Trust.GOOD] * len(SAMPLE_PROMPTS)
    assert not any("calibrate" in note for note in found.notes)


def test_gibberish_depends_on_its_seed_alone_and_is_none_of_the_controls() -> None:
    assert draw_gibberish(3, 20) == draw_gibberish(3, 20)
    assert draw_gibberish(3, 20) != draw_gibberish(4, 20)
    every = gibberish(3, 20)
    assert not {prompt for prompts in every.values() for prompt in prompts} & set(NONSENSE)
    assert set(every["classic"]) == set(CLASSIC)
    assert set(every["unrelated English"]) == set(UNRELATED)


def test_a_cover_leaves_no_candidate_alone(demo: ClipModel) -> None:
    candidates = draw_gibberish(5, 40)["mixed"]
    chosen = cover(demo, NONSENSE[:3], candidates, 12)
    assert chosen[:3] == NONSENSE[:3]
    assert len(set(chosen)) == 12
    directions = demo.encode_text([*chosen, *candidates]).numpy()
    distance = np.linalg.norm(directions[:, None] - directions[:12], axis=-1)
    radius = distance[12:].min(axis=1).max()
    # Each was, when it was chosen, farther from those before it than any candidate is now.
    for number in range(3, 12):
        assert distance[number, :number].min() >= radius - 1e-5


def test_the_report_names_what_went_wrong() -> None:
    def case(group: str, prompt: str, trust: Trust) -> JudgedPrompt:
        return JudgedPrompt("drawn smear", group, prompt, 1.1, 0.2, trust, trust, Trust.GOOD)

    judged = (
        case("keyboard", "sdf", Trust.DOUBTFUL),
        case("keyboard", "hjk", Trust.NONE),
        case(PRESENT, "nuclei", Trust.NONE),
        case(ABSENT, "platelets", Trust.GOOD),
    )
    report = VerdictReport({"name": "x"}, judged)
    assert [each.prompt for each in report.missed] == ["sdf"]
    assert [each.prompt for each in report.falsely_flagged] == ["nuclei"]
    assert [each.prompt for each in report.falsely_trusted] == ["platelets"]
    assert "| keyboard | drawn smear | 2 | 50.0 | 50.0 | 0.0 |" in str(report)
    assert f"| {PRESENT} | flagged | 100.0 | 100.0 (drawn smear) |" in str(report)
    assert "'sdf' on 1 image" in str(report)
    picture = draw_distribution(judged, TextLimits())
    assert picture.shape[1:] == (1000, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4


def test_the_command_writes_report_and_picture(real_data: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    arguments = ["honesty", "--data", real_data, "--output", output, "--scenes", 1]
    result = CliRunner().invoke(app, [*map(str, arguments), "--gibberish", "2"])
    assert result.exit_code == 0, result.output
    values = json.loads((output / "honesty.json").read_text())
    sources = {each["source"] for each in values["judged"]}
    assert sources >= {"demo sample", "constant", "noise", "real stained", "real blood"}
    assert any(source.startswith("drawn ") for source in sources)
    assert "not flagged" in (output / "honesty.md").read_text()
    assert iio.imread(output / "honesty.png").shape[2] == 3
