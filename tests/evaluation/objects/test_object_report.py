from __future__ import annotations

import json

from napari_clip_heatmap.evaluation.objects.found_objects import FoundObjects
from napari_clip_heatmap.evaluation.objects.matching import MatchCounts
from napari_clip_heatmap.evaluation.objects.named_objects import NamedObjects
from napari_clip_heatmap.evaluation.objects.object_report import (
    ObjectReport,
    count_object_steps,
    evaluate_objects,
)


def test_the_tables_say_what_was_measured():
    found = FoundObjects(
        {"nuclei": MatchCounts(5, 10, 10, 2)},
        {"nuclei": MatchCounts(6, 10, 10, 1)},
        {"nuclei": MatchCounts(8, 10, 10, 0)},
    )
    named = NamedObjects({"nuclei": 9, "filaments": 1}, {"nuclei": 10, "filaments": 2})
    text = str(ObjectReport(4, found, named, found, named))
    assert text.count("| nuclei | 10 | 0.50 | 0.60 | 0.80 | 75% | 0.20 | 0.10 |") == 2
    assert "Objects of 4 drawn scenes" in text
    assert text.count("| all | 12 | 0.833 |") == 2
    assert "Real nuclei" in text
    assert "blood" not in str(ObjectReport(4, found, named, None, None))


def test_one_call_measures_all(demo, real_data):
    steps = []
    report = evaluate_objects(
        demo, data=real_data, n_scenes=2, seed=11, progress=lambda: steps.append(1)
    )
    assert len(steps) == count_object_steps(real_data, 2) == 6
    values = json.loads(json.dumps(report.values()))
    assert values["found"]["nuclei"]["oracle"]["stained"]["true"] == 1
    assert report.nuclei is not None
    assert report.blood_named is not None
    assert "## Real nuclei" in str(report)


def test_without_real_images_there_are_drawn_ones(demo):
    report = evaluate_objects(demo, data=None, n_scenes=1, seed=11, progress=lambda: None)
    assert report.nuclei is None
    assert report.blood_named is None
