from __future__ import annotations

import pint
import pytest

from napari_clip_heatmap.imaging.resolution import format_length, resolution, unit_symbol


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((16, 16), (224, 224), (0.2, 0.2), "micrometer"), "patch = 3.2 µm, a tile = 44.8 µm"),
        (((16, 16), (224, 224), (2.0, 2.0)), "one patch = 32 px, a tile = 448 px"),
        (((8, 8), (64, 64), (0.5, -0.25), "µm"), "patch = 4 x 2 µm, a tile = 32 x 16 µm"),
        (((14, 14), (224, 224), (28.5, 28.5), "nm"), "patch = 399 nm, a tile = 6384 nm"),
    ],
)
def test_a_patch_and_a_tile_are_told_in_the_users_unit(arguments, words):
    assert words in str(resolution(*arguments))


@pytest.mark.parametrize("sign", ["\N{MICRO SIGN}", "\N{GREEK SMALL LETTER MU}"])
def test_micro_has_one_sign_whichever_it_came_with(sign):
    assert unit_symbol(f"{sign}m") == "\N{MICRO SIGN}m"
    assert unit_symbol(f"{sign}s") == "\N{MICRO SIGN}s"
    assert resolution((1, 1), (8, 8), unit=f"{sign}m").unit == "\N{MICRO SIGN}m"


@pytest.mark.parametrize("name", ["micrometer", "micrometre", "um", "\N{GREEK SMALL LETTER MU}m"])
def test_what_pint_reads_as_a_micrometer_is_written_as_one(name):
    assert unit_symbol(f"{pint.Unit(name):~P}") == unit_symbol(name) == "µm"


@pytest.mark.parametrize(
    ("length", "text"),
    [(0.012345, "0.0123 nm"), (2.6041, "2.6 nm"), (99.94, "99.9 nm"), (123.4, "123 nm")],
)
def test_a_length_has_three_digits(length, text):
    assert format_length(length, "nanometer") == text


def test_a_large_length_is_no_power_of_ten():
    assert format_length(4480, "pixel") == "4480 px"
