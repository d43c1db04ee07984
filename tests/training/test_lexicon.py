"""Every name is of one class, and every class can be spoken of."""

from __future__ import annotations

from pathlib import Path

from training.lexicon import (
    ALSO_TRUE,
    CLASS_OF,
    INDEX_NAMES,
    LEXICON,
    MODALITIES,
    MODALITY_SHOWS,
    MODALITY_STATES,
    read_lexicon,
)

import training
from napari_clip_heatmap.evaluation.micrographs.related_classes import may_show
from napari_clip_heatmap.scenes.vocabulary import CLASSES, NAMES


def test_no_name_is_of_two_classes() -> None:
    names = [name for names in LEXICON.values() for name in names]
    assert len(names) == len(set(names)) == len(CLASS_OF)
    assert all(name == name.lower().strip() for name in names)


def test_scenes_keep_their_names() -> None:
    for name in CLASSES:
        assert LEXICON[name][0] == name
        for each in NAMES[name]:
            assert CLASS_OF[each] in (name, *ALSO_TRUE.get(name, ()))


def test_tables_speak_of_classes_that_there_are() -> None:
    for tables in (ALSO_TRUE, MODALITY_SHOWS):
        for shown in tables.values():
            assert set(shown) <= set(LEXICON)
    for true, unclear in MODALITY_STATES.values():
        assert {*true, *unclear} <= set(MODALITIES)
    for name in INDEX_NAMES:
        assert may_show([name]) <= set(INDEX_NAMES)


def test_every_class_is_made_up_somewhere() -> None:
    shown = {name for names in MODALITY_SHOWS.values() for name in names}
    implied = {each for names in ALSO_TRUE.values() for each in names}
    assert set(LEXICON) - shown - implied == set()


def test_unseen_synonyms_are_unseen() -> None:
    listed = read_lexicon(Path(training.__file__).with_name("unseen_synonyms.txt"))
    assert set(listed) <= set(LEXICON)
    unseen = [name for names in listed.values() for name in names[1:]]
    assert len(unseen) == len(set(unseen)) > 80
    assert not set(unseen) & set(CLASS_OF)
