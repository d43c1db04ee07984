"""Arguments of every kind for the public records and functions."""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import napari_clip_heatmap as nch
from napari_clip_heatmap.core.convention import Convention
from napari_clip_heatmap.core.decomposition import Decomposition
from napari_clip_heatmap.core.selection import Selection
from napari_clip_heatmap.imaging.channel import Channel
from napari_clip_heatmap.imaging.masks import LabeledRegion, Outlines
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import MODES, View
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.score_registry import SCORES
from napari_clip_heatmap.pipeline.scoring import build_scoring
from napari_clip_heatmap.prompting.language import TEMPLATES, parse_templates


class Evil:
    """Every conversion of it fails, even its text."""

    def __repr__(self):
        raise RuntimeError("no text")

    def __iter__(self):
        raise ZeroDivisionError("no items")

    def __float__(self):
        raise OverflowError("no number")

    def __array__(self, *args, **kwargs):
        raise KeyError("no array")


numbers = (
    st.integers()
    | st.floats()
    | st.integers(-3, 70)
    | st.floats(-3, 70)
    | st.sampled_from([10**400, np.float32(3), np.int8(-1), np.float64("nan"), True, np.True_])
    | st.sampled_from([decimal.Decimal("1.5"), fractions.Fraction(1, 3), 2j, np.datetime64(1, "D")])
)
arrays = npst.arrays(
    st.sampled_from(["f4", "f8", "i2", "u1", "?", "c8", "O", "U3", "M8[D]"]).map(np.dtype),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
words = st.text(max_size=20) | st.sampled_from([*MODES, *SCORES, *TEMPLATES, "auto", "x" * 30_000])
simple = (
    st.none()
    | numbers
    | words
    | st.binary(max_size=5)
    | st.builds(Evil)
    | st.sampled_from([object(), int, len, datetime.date.min, pathlib.Path("a.png")])
)
anything = st.recursive(
    simple | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(words, inner, max_size=3)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=8,
)
corner = st.tuples(numbers, numbers) | anything
polygon = st.lists(corner, max_size=5) | npst.arrays("f8", (4, 2)) | anything
good_number = st.floats(0.0, 60.0)


def some(**strategies):
    """Any part of the named arguments, most of them as they should be."""
    return st.fixed_dictionaries({}, optional=strategies)


def nearly(good):
    """Right most of the time, so that the other arguments are tried, too."""
    return st.integers(0, 7).flatmap(lambda roll: good if roll else anything)


views = some(
    mode=nearly(st.sampled_from(MODES)),
    invert=nearly(st.booleans()),
    low=nearly(good_number),
    high=nearly(good_number),
    limits=nearly(st.tuples(good_number, good_number)),
)


def test_views(fuzz):
    fuzz(views, lambda settings: View(**settings))
    fuzz(anything | st.from_regex(r"[-0-9.e]{1,5},[-0-9.e]{1,5}"), View.parse)


def test_regions(fuzz):
    box = nearly(st.tuples(good_number, good_number, good_number, good_number))
    fuzz(some(box=box, mask=anything), lambda settings: Region(**settings))
    fuzz(st.lists(polygon, max_size=3) | anything, Outlines)
    matrix = st.none() | npst.arrays("f8", (3, 3)) | anything
    fuzz(st.tuples(arrays | anything, matrix), lambda both: LabeledRegion(*both))


def test_channels(fuzz):
    level = npst.arrays(st.sampled_from(["u1", "f4"]), st.sampled_from([(4, 5), (4, 5, 3), (2, 3)]))
    fuzz(
        st.fixed_dictionaries(
            {"levels": nearly(st.lists(nearly(level), max_size=3).map(tuple))},
            optional={
                "limits": nearly(st.tuples(good_number, good_number)),
                "gamma": nearly(good_number),
                "lut": nearly(npst.arrays("f4", (3, 3), elements=st.floats(0, 1, width=32))),
            },
        ),
        lambda settings: Channel(**settings),
    )


def test_templates(fuzz):
    sentence = st.sampled_from([*TEMPLATES, "a {}", "{} {}", "{}"])
    fuzz(nearly(st.lists(nearly(sentence), max_size=3)) | sentence, parse_templates)


@pytest.fixture(scope="module")
def encoding(tiny_model):
    return encode(tiny_model, np.random.default_rng(0).random((40, 50)))


def test_prompts(fuzz, encoding):
    prompt = st.sampled_from(
        ["nuclei", "Nuclei", "a | b", "a - b", "|", " - ", "-", "a |", "é", ""]
    )
    some_words = nearly(st.lists(nearly(prompt), max_size=4))
    arguments = st.fixed_dictionaries(
        {"prompts": some_words},
        optional={
            "score": nearly(st.sampled_from([*SCORES])),
            "baseline": some_words,
            "templates": nearly(st.sampled_from([*TEMPLATES])),
        },
    )

    def score(given):
        scoring = build_scoring(encoding.text, **{"score": "relative", **given})
        maps = encoding.lazy_maps(scoring).eager(encoding)
        assert np.isfinite(maps.values).all()
        assert np.isfinite(maps.similarity).all()

    fuzz(arguments, score)


def check(model, image, settings):
    encoding = nch.encode(model, image, **settings)
    maps = encoding.heatmaps(["nuclei", "filaments", "background"])
    height, width = encoding.image_shape
    inside = encoding.region.inside(np.arange(height) + 0.5, np.arange(width) + 0.5)
    shown = encoding.valid if inside is None else encoding.valid & inside
    assert shown.any()
    assert np.isfinite(maps.values[:, shown]).all()
    assert np.isfinite(maps.similarity).all()
    assert repr(encoding)


def test_settings_of_encoding(fuzz, tiny_model):
    image = np.random.default_rng(0).integers(0, 4000, (40, 50)).astype(np.uint16)
    box = st.tuples(good_number, good_number, good_number, good_number)
    region = box.filter(lambda b: b[0] < b[2] and b[1] < b[3]).map(Region)
    settings = some(
        view=nearly(st.sampled_from(MODES).map(View)),
        region=nearly(region),
        downsample=nearly(st.floats(0.5, 60) | st.just("auto")),
        overlap=nearly(st.floats(0, 0.9)),
        quality=nearly(st.sampled_from(["standard", "fine"])),
        batch_size=nearly(st.integers(1, 9)),
        progress=nearly(st.just(lambda done, total: None)),
        cancelled=nearly(st.just(lambda: False)),
        cache=nearly(st.none()),
    )
    fuzz(settings, lambda given: check(tiny_model, image, given))


def test_images(fuzz, tiny_model):
    shapes = st.sampled_from([(1, 1), (9, 40), (33, 35), (33, 35, 3), (20, 20, 4), (7,), (2, 9, 9)])
    real = npst.arrays(
        st.sampled_from(["u1", "u2", "i2", "i8", "f2", "f4", "f8", "?", ">u2", "g"]).map(np.dtype),
        shapes,
    )
    masked = real.map(lambda image: np.ma.masked_where(np.abs(image) > 5, image))
    tensors = st.sampled_from([torch.uint8, torch.bfloat16, torch.float64]).map(
        lambda kind: torch.ones((20, 30), dtype=kind)
    )
    pyramids = st.lists(st.sampled_from([40, 20, 10, 5]), min_size=1, max_size=3).map(
        lambda sides: [np.eye(side, dtype=np.float32) for side in sides]
    )
    images = real | masked | tensors | pyramids | arrays | anything
    fuzz(images, lambda image: check(tiny_model, image, {}))


def test_models(fuzz, tiny_model):
    models = anything | st.just(tiny_model)
    fuzz(models, lambda model: nch.encode(model, np.zeros((9, 9), np.uint8)))


def test_pictures_along_edges(fuzz, encoding):
    maps = encoding.heatmaps(["nuclei", "background"])
    fits = npst.arrays(
        st.sampled_from(["u1", "u2", "f4", "f8"]).map(np.dtype),
        st.sampled_from([(40, 50), (40, 50, 3), (40, 50, 4)]),
    )

    def draw(image):
        assert np.isfinite(maps.edge_aware(image)).all()

    fuzz(fits | arrays | anything, draw)


def test_decompositions(fuzz):
    sizes = st.integers(1, 3)
    tensors = st.lists(sizes, max_size=5).map(torch.zeros)
    selection = st.builds(
        Selection, *(st.lists(st.integers(0, 2), max_size=2, unique=True).map(tuple),) * 2
    )

    def fitting(given):
        batch, out, chosen, rows, columns = given
        return {
            "attention": torch.zeros(
                batch, len(chosen.layers), 1 + rows * columns, len(chosen.heads), out
            ),
            "mlp": torch.zeros(batch, 4, out),
            "unselected": torch.zeros(batch, out),
            "representation": torch.zeros(batch, out),
            "selection": chosen,
            "convention": Convention.REFERENCE,
            "grid": (rows, columns),
        }

    good = st.tuples(sizes, sizes, selection, sizes, sizes).map(fitting)
    spoil = some(
        attention=nearly(tensors),
        mlp=nearly(tensors),
        selection=nearly(selection),
        convention=nearly(st.sampled_from(Convention)),
        grid=nearly(st.tuples(sizes, sizes)),
    )

    def make(both):
        parts = Decomposition(**{**both[0], **both[1]})
        assert parts.total.shape == parts.representation.shape
        assert repr(parts)

    fuzz(st.tuples(good, st.just({}) | spoil), make)
