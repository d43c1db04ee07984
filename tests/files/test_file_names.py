from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap.files.file_names import MAX_BYTES, slug, unique_slugs


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nuclei", "nuclei"),
        ("red blood cells / smear", "red-blood-cells-smear"),
        ("../../etc/passwd", "etc-passwd"),
        ("a_b", "a-b"),
        ("Zellkerne groß", "Zellkerne-groß"),
        ("細胞核", "細胞核"),
        ("🔬🧫", "prompt"),
        ("", "prompt"),
        ("🔬 nuclei", "nuclei"),
        ("CON.\x00:*?", "CON"),
    ],
)
def test_a_name_keeps_letters_and_digits(text: str, name: str) -> None:
    assert slug(text, fallback="prompt") == name


@given(st.text())
def test_any_text_is_a_safe_name(text: str) -> None:
    name = slug(text, fallback="prompt")
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not set(name) & set('/\\:*?"<>|_. \0\n')


@given(st.lists(st.text(max_size=4), max_size=12))
def test_names_never_meet(texts: list[str]) -> None:
    names = unique_slugs(texts, fallback="prompt")
    assert len({name.casefold() for name in names}) == len(texts)


def test_meeting_names_are_numbered() -> None:
    assert unique_slugs(["a b", "a/b", "A-B", "a-b-2", "🔬"], fallback="prompt") == [
        "a-b",
        "a-b-2",
        "A-B-3",
        "a-b-2-2",
        "prompt",
    ]
