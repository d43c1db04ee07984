"""Images of any values, shown in any range: colors are always finite and from 0 to 1."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_clip_heatmap.imaging.channel import Channel, as_channels
from napari_clip_heatmap.imaging.compositing import Blend, ThickPlane
from napari_clip_heatmap.imaging.source import ImageSource
from napari_clip_heatmap.imaging.view import MODES, View

EXTREMES = [0.0, 5e-324, 1e-310, 1e-45, 1e-38, 1.0, 3e38, 1e39, 1e300, 1.79e308, np.inf, np.nan]

dtypes = st.sampled_from(["?", "u1", "i1", "u2", ">u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
shapes = st.sampled_from([(1, 1), (1, 9), (9, 1), (6, 7), (6, 7, 3), (6, 7, 4), (40, 40)])


def floats(width=64):
    special = st.sampled_from(EXTREMES).map(lambda value: float(np.float64(value)))
    signed = st.tuples(special, st.sampled_from([-1.0, 1.0])).map(lambda two: two[0] * two[1])
    return st.floats(width=width) | (signed if width == 64 else st.nothing()) | st.floats(-2, 2)


@st.composite
def arrays(draw, shape=None):
    dtype = np.dtype(draw(dtypes))
    elements = None
    if dtype.kind == "f":
        elements = st.floats(width=8 * dtype.itemsize) if dtype.itemsize < 8 else floats()
    shape = shape or draw(shapes)
    values = draw(npst.arrays(dtype, shape, elements=elements))
    if draw(st.booleans()):
        values = values[::-1]
    if draw(st.integers(0, 4)) == 0:
        values = np.ma.MaskedArray(values, draw(npst.arrays(bool, shape)))
    return values


limits = st.tuples(floats(), floats()).map(sorted).map(tuple)
views = st.builds(
    View, st.sampled_from(MODES), st.booleans(), limits=st.none() | st.deferred(lambda: ranges)
)
ranges = limits.filter(lambda two: two[0] < two[1] and np.isfinite(two).all())
blends = st.builds(
    Blend,
    st.sampled_from(["translucent", "additive", "minimum", "multiplicative", "opaque"]),
    st.floats(0, 1),
    st.integers(0, 3),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)


@st.composite
def channels(draw):
    shape = draw(st.sampled_from([(1, 1), (6, 7), (6, 7, 4), (2, 6, 7)]))
    blended = draw(st.booleans())
    found = []
    for _ in range(draw(st.integers(1, 3))):
        level = draw(arrays(shape))
        if len(shape) == 3 and shape[0] == 2:
            level = ThickPlane(level, ((0, 2),), draw(st.sampled_from(["sum", "mean", "max"])))
        colormap = npst.arrays("f4", (3, 3), elements=st.floats(0, 1, width=32))
        found.append(
            Channel(
                (level,),
                draw(st.none() | ranges),
                draw(st.sampled_from([0.001, 0.5, 1.0, 2.2, 1000.0]) | st.floats(0.001, 3)),
                draw(st.none() | colormap) if shape[-1] != 4 else None,
                draw(blends) if blended else None,
            )
        )
    return found


def look(channels, view, factor=1.0):
    shape = tuple(max(1, round(length / factor)) for length in channels[0].shape)
    source = ImageSource(channels, view.appearance(channels), shape)
    seen = source.read(slice(0, shape[0]), slice(0, shape[1]))
    assert np.isfinite(seen).all()
    assert seen.min() >= 0
    assert seen.max() <= 1
    for shown in source.appearance.ranges:
        assert np.isfinite([shown.low, shown.high]).all()


def test_values_in_ranges(fuzz):
    factor = st.sampled_from([0.5, 1.0, 1.3, 4.0])
    fuzz(
        st.tuples(arrays(), views, factor),
        lambda given: look(as_channels(given[0]), given[1], given[2]),
    )


def test_channels_on_one_another(fuzz):
    fuzz(st.tuples(channels(), views), lambda given: look(*given))
