from __future__ import annotations

import errno
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_clip_heatmap import errors
from napari_clip_heatmap.errors import MESSAGE_LIMIT, ClipHeatmapError, OutputError, shorten

ERRORS = [getattr(errors, name) for name in errors.__all__ if name[0] == name[0].upper()]
ERRORS = [each for each in ERRORS if isinstance(each, type)]


@given(text=st.text(max_size=60), limit=st.integers(10, 40))
def test_long_text_loses_its_middle(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    if len(text) <= limit:
        assert short == text
    else:
        assert len(short) == limit
        kept = limit - len(" ... ")
        assert short == f"{text[: kept - kept // 2]} ... {text[len(text) - kept // 2 :]}"


@pytest.mark.parametrize("error", ERRORS)
def test_no_message_is_longer_than_the_limit(error: type[ClipHeatmapError]) -> None:
    assert issubclass(error, ClipHeatmapError)
    raised = error("There is no file 'x" + "y" * 99_999 + "z.pt'.")
    assert len(str(raised)) <= MESSAGE_LIMIT
    assert str(raised).startswith("There is no file 'x")
    assert str(raised).endswith("z.pt'.")
    assert str(error("As it is.")) == "As it is."


@pytest.mark.parametrize("error", ERRORS)
def test_errors_survive_a_process_boundary(error: type[ClipHeatmapError]) -> None:
    there = pickle.loads(pickle.dumps(error("What happened.")))
    assert type(there) is error
    assert str(there) == "What happened."


def test_what_the_disk_said_survives_the_way_from_a_worker() -> None:
    def full() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise OutputError("results cannot be written") from error

    with pytest.raises(OutputError) as caught:
        full()
    there = pickle.loads(pickle.dumps(caught.value))
    assert (str(there), there.errno) == ("results cannot be written", errno.ENOSPC)
    again = pickle.loads(pickle.dumps(there))  # by way of a scheduler
    assert again.errno == errno.ENOSPC
    assert pickle.loads(pickle.dumps(OutputError("it exists"))).errno is None
