"""Classes are named right, and maps scored, as a model with known answers deserves."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_clip_heatmap.evaluation.micrographs import micrograph_scores
from napari_clip_heatmap.evaluation.micrographs.micrograph_index import (
    GroupFold,
    Micrograph,
    read_micrographs,
)
from napari_clip_heatmap.evaluation.micrographs.micrograph_scores import (
    choose_micrographs,
    evaluate_micrographs,
)
from napari_clip_heatmap.evaluation.micrographs.related_classes import may_show


@pytest.fixture
def answers(monkeypatch):
    """Let `encode` answer with a similarity for each prompt; maps are the masks of label 1."""
    similarity: dict[str, float] = {}

    class Encoding:
        def heatmaps(self, prompts):
            values = np.zeros((len(prompts), 40, 40), np.float32)
            values[:, 5:20, 5:20] = 1
            found = np.array([similarity.get(name, 0.0) for name in prompts], np.float32)
            return SimpleNamespace(values=values, similarity=found)

    monkeypatch.setattr(micrograph_scores, "encode", lambda model, image: Encoding())
    return similarity


def listed(tmp_path, *classes, modality="EM"):
    return [
        Micrograph(tmp_path / "x", "source", f"group {number}", modality, names, ())
        for number, names in enumerate(classes)
    ]


def test_a_class_is_right_if_it_is_above_all_that_the_picture_does_not_show(answers, folder):
    micrographs = read_micrographs(folder)
    askable = frozenset({"nucleus", "cell", "bacteria"})
    answers.update({"nucleus": 0.2, "cell": 0.9, "bacteria": 0.1})
    result = evaluate_micrographs(None, [(each, askable) for each in micrographs], lambda: None)
    # Pictures of nuclei may show cells, so that "cell" is above "nucleus" is no mistake.
    assert set(result.named.values["fluorescence: nucleus"]) == {1.0}
    answers["bacteria"] = 0.5
    result = evaluate_micrographs(None, [(each, askable) for each in micrographs], lambda: None)
    assert result.named.mean("fluorescence: nucleus") == 0
    assert result.named.mean("fluorescence: cell") == 1
    assert result.mean_named() == 0.5


def test_maps_are_scored_where_there_is_truth(answers, folder):
    micrographs = read_micrographs(folder)
    steps = []
    chosen = [(each, frozenset({"nucleus"})) for each in micrographs]
    result = evaluate_micrographs(None, chosen, lambda: steps.append(1))
    assert len(steps) == 6
    assert result.maps.values["nucleus"] == (1.0,)
    assert result.maps.mean("debris") < 0.5
    assert set(result.maps.values) == {"nucleus", "debris", "cell"}
    text = "\n".join(result.lines())
    assert "| nucleus | 1.000 | 1 |" in text
    assert result.figures()["maps"]["nucleus"] == [1.0]


def test_only_what_other_folds_show_is_asked(tmp_path):
    micrographs = listed(tmp_path, ("axon",), ("axon",), ("pore",), ("axon", "crack"))
    fold = next(
        GroupFold(number, 4)
        for number in range(4)
        if GroupFold(number, 4).split(micrographs)[1][0].classes == ("axon", "crack")
    )
    chosen = choose_micrographs(micrographs, fold=fold)
    assert [each.classes for each, _ in chosen] == [("axon", "crack")]
    assert chosen[0][1] == {"axon", "pore"}


def test_no_class_is_measured_more_often_than_wanted(tmp_path):
    micrographs = listed(tmp_path, *[("axon",)] * 9, ("axon", "pore"), ("pore",))
    chosen = [each.classes for each, _ in choose_micrographs(micrographs, most=2)]
    assert chosen == [("axon",), ("axon",), ("axon", "pore"), ("pore",)]


def test_related_classes_are_never_the_classes_themselves():
    assert "cell" in may_show(["nucleus"])
    assert "cell" not in may_show(["nucleus", "cell"])
    assert may_show(["something else"]) == frozenset()
