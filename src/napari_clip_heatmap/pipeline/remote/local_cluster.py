"""Workers on this machine, for a job."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["local_cluster"]

_HAND_BACK = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
"""Dask's name of a setting of the GNU C library: free memory above which it is handed back."""


@contextmanager
def local_cluster(n_workers: int) -> Iterator[Client]:
    """Start workers on this machine, which share its memory and cores, and end them afterwards.

    Examples
    --------
    >>> with local_cluster(2) as client:  # doctest: +SKIP
    ...     outcomes = list(run_on_cluster(task, images, client))
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        # Dask has its workers hand memory back at once. A model would then ask the system for it
        # again at each of its layers, which took a third of a worker's time.
        dask.config.set({_HAND_BACK: None}),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            # Dask serves its figures all the same: on any free port, for this machine alone.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=50,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(_ignore_interrupts)
        yield client


def _ignore_interrupts() -> None:
    """Leave Ctrl+C, which a terminal sends to all processes, to the one that leads."""
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
