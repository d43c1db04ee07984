"""Which model, and where it runs: the chooser with its downloads, and the list of devices."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_clip_heatmap._napari.controllers.background import Job, Work
from napari_clip_heatmap._napari.controllers.speed_measurement import SpeedMeasurement
from napari_clip_heatmap._napari.controllers.status import step_text
from napari_clip_heatmap._napari.job.model_download import ModelCatalog, download_step
from napari_clip_heatmap._napari.job.session import error_message
from napari_clip_heatmap._napari.startup import available_devices, import_torch_and_open_clip
from napari_clip_heatmap._napari.views.model_dialog import ModelDialog
from napari_clip_heatmap._napari.views.model_table import (
    FilteredModels,
    ModelColumn,
    ModelTable,
    describe_model,
)
from napari_clip_heatmap.errors import Cancelled

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_clip_heatmap._napari.job.request import RunStep
    from napari_clip_heatmap._napari.state import DockState
    from napari_clip_heatmap.clip.catalog import CatalogEntry

__all__ = ["DeviceLister", "ModelChooser"]


class ModelChooser:
    """Finds the name of a model together with the user.

    Parameters
    ----------
    parent : QWidget
        Whom the dialog belongs to.
    state : DockState
        Says on which device and in which precision models are measured.
    chosen : callable(str)
        Told the name, as `api.load_model` takes it.
    catalog : ModelCatalog, optional
    """

    def __init__(
        self,
        parent: QWidget,
        state: DockState,
        chosen: Callable[[str], None],
        catalog: ModelCatalog | None = None,
    ) -> None:
        self._parent, self._chosen = parent, chosen
        self._catalog = catalog or ModelCatalog()
        self._speeds = SpeedMeasurement(state, self._catalog.measure)
        self._table = ModelTable(parent)
        self._shown = FilteredModels(self._table, parent)
        self.view = ModelDialog(self._shown, parent)
        self._listing = Job(self._on_listed, self._on_error)
        self._reading = Job(self._on_read, self._on_error)
        self._download = Job(
            self._on_downloaded,
            self._on_download_error,
            on_step=self._on_step,
            on_end=self._on_work_end,
        )
        self._measuring = Job(
            self._tell,
            self._on_measure_error,
            on_step=self._on_step,
            on_end=self._on_work_end,
        )
        self._current = ""
        self._own: tuple[Path, tuple[str, ...]] | None = None
        self._outcome = ""
        self._connect()
        self._narrow()

    def open(self, current: str) -> None:
        """Let the user choose.

        Parameters
        ----------
        current : str
            The name of the model that is chosen now.
        """
        self._current = current
        self.view.show_search()
        self._select(current)
        if not self._working:
            self.view.status.setText("Listing\N{HORIZONTAL ELLIPSIS}")
        self._list()

    @property
    def downloading(self) -> bool:
        """Whether a model is being downloaded."""
        return self._download.running

    @property
    def _working(self) -> bool:
        return self._download.running or self._measuring.running

    def open_file(self, path: Path) -> None:
        """Take weights of the user's; see what they are like, and ask for the rest."""
        self.view.status.setText(f"Reading {path}")
        self._reading.submit(lambda: lambda _stopped: (path, self._catalog.alike(path)))

    def close(self) -> None:
        """Stop what is at work and tell nobody; Qt's side may be gone."""
        self._listing.close()
        self._reading.close()
        self._download.close()
        self._measuring.close()

    def _connect(self) -> None:
        view = self.view
        view.search.textChanged.connect(lambda _: self._narrow())
        view.here.toggled.connect(lambda _: self._narrow())
        view.table.selectionModel().currentRowChanged.connect(lambda *_: self._show_entry())
        view.table.doubleClicked.connect(lambda _: self._use())
        view.use.clicked.connect(self._use)
        view.download.clicked.connect(self._start)
        view.measure.clicked.connect(self._measure)
        view.cancel.clicked.connect(self._stop)
        view.forget.clicked.connect(lambda: self._ask(None))
        view.open_file.clicked.connect(self._choose_file)
        view.open_folder.clicked.connect(self._choose_folder)
        view.finished.connect(lambda _: self._leave())

    def _list(self) -> None:
        self._listing.submit(lambda: lambda _stopped: self._catalog.listed())

    def _on_listed(self, entries: tuple[CatalogEntry, ...]) -> None:
        entry = self._entry()
        if entry is not None:
            self._current = entry.name
        self._table.reset(self._speeds.noted(entries))
        self._narrow()
        if not self._working:
            self.view.status.setText(self._outcome or f"{len(entries)} models can be decomposed.")
            self._outcome = ""

    def _narrow(self) -> None:
        """Show what is searched for; a row that stays stays selected, else the first is."""
        before = self._entry()
        self._shown.narrow(
            self.view.search.text(),
            here=self.view.here.isChecked(),
            architectures=self._own and self._own[1],
        )
        self._select(self._current if before is None else before.name)

    def _select(self, name: str) -> None:
        rows = range(self._shown.rowCount())
        places = (self._shown.index(row, ModelColumn.MODEL) for row in rows)
        found = next((place for place in places if place.data() == name), None)
        self.view.table.setCurrentIndex(found or self._shown.index(0, ModelColumn.MODEL))
        self._show_entry()

    def _entry(self) -> CatalogEntry | None:
        return self._shown.entry(self.view.table.currentIndex())

    def _show_entry(self) -> None:
        """Say what is known of the selected model, and what can be done with it."""
        entry, view = self._entry(), self.view
        nothing = "No model fits; fewer words find more." if self._table.entries else ""
        view.about.setText(nothing if entry is None else describe_model(entry))
        view.use.setEnabled(entry is not None)
        to_bring = entry is not None and not entry.here and self._own is None
        view.download.setEnabled(to_bring and not self._working)
        view.measure.setEnabled(entry is not None and not self._working)

    def _use(self) -> None:
        entry = self._entry()
        if entry is not None:
            self._hand_over(entry.name if self._own is None else f"{entry.name}@{self._own[0]}")

    def _hand_over(self, name: str) -> None:
        self.view.accept()
        self._parent.activateWindow()  # where the keyboard goes on
        self._chosen(name)

    def _leave(self) -> None:
        """Stop what is at work; the dialog is closed."""
        self._download.cancel()
        self._measuring.cancel()
        self._ask(None)

    def _start(self) -> None:
        entry = self._entry()
        if entry is not None and not self._working:
            self._begin(self._download, partial(_download, self._catalog, entry.name))

    def _measure(self) -> None:
        entry = self._entry()
        if entry is not None and not self._working:
            self._begin(self._measuring, self._speeds.work(entry))

    def _begin(self, job: Job, work: Work) -> None:
        job.start(work)
        self.view.set_working(True)
        self._show_entry()

    def _stop(self) -> None:
        self.view.cancel.setEnabled(False)
        self.view.status.setText("Stopping")
        self._download.cancel()
        self._measuring.cancel()

    def _on_step(self, step: RunStep) -> None:
        self.view.status.setText(step_text(step))
        self.view.progress.setRange(0, step.total)  # 0: only that something is being done
        self.view.progress.setValue(step.done)

    def _on_downloaded(self, name: str) -> None:
        self._tell(f"{name} is on this machine now.")

    def _tell(self, outcome: str) -> None:
        self._outcome = outcome

    def _on_download_error(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self._tell("Stopped; what has come is kept, and Download goes on from there.")
        else:
            self._tell(f"Not downloaded: {error_message(error)}")

    def _on_measure_error(self, error: Exception) -> None:
        stopped = isinstance(error, Cancelled)
        self._tell("Stopped." if stopped else f"Not measured: {error_message(error)}")

    def _on_work_end(self) -> None:
        self.view.set_working(False)
        self.view.status.setText(self._outcome)
        self._show_entry()
        self._list()  # more may be on this machine, or known of it, now

    def _on_error(self, error: Exception) -> None:
        self.view.status.setText(error_message(error))

    def _choose_file(self) -> None:
        self.view.ask_for_file(self.open_file)

    def _choose_folder(self) -> None:
        self.view.ask_for_folder(lambda path: self._hand_over(f"local-dir:{path}"))

    def _on_read(self, found: tuple[Path, tuple[str, ...] | None]) -> None:
        path, architectures = found
        if not self.view.isVisible():  # closed while it was read
            return
        self.view.status.setText("")
        if architectures is None:
            self._hand_over(str(path))
        else:
            self._ask((path, architectures))

    def _ask(self, own: tuple[Path, tuple[str, ...]] | None) -> None:
        """Ask which released model weights of the user's are like, or no longer ask."""
        self._own = own
        self.view.set_asking("" if own is None else _question(*own))
        self._narrow()


def _download(
    catalog: ModelCatalog, name: str, stopped: Callable[[], bool]
) -> Generator[RunStep, None, str]:
    for progress in catalog.download(name, stopped):
        yield download_step(name, progress)
    return name


def _question(path: Path, architectures: tuple[str, ...]) -> str:
    seen = f", of {' or '.join(architectures)} by their shapes" if architectures else ""
    return (
        f"{path} holds weights{seen}, but not which activation and preprocessing belong to them. "
        "Select the released model that they were trained from, or like, and press Use. If there "
        f"is none, type ARCH@{path} as the model, and choose its preprocessing in the widget."
    )


class DeviceLister:
    """Lists the devices once, importing torch in a thread if it is not there yet.

    Parameters
    ----------
    state : DockState
        Its `devices` are set.
    """

    def __init__(self, state: DockState) -> None:
        self._state = state
        self._job = Job(self._on_listed, self._on_error)
        if "open_clip" in sys.modules:
            self._on_listed(available_devices())
        else:
            self._job.start(_import_and_list)

    def close(self) -> None:
        """Stop listing."""
        self._job.close()

    def _on_listed(self, devices: tuple[str, ...]) -> None:
        self._state.devices = devices

    def _on_error(self, error: Exception) -> None:
        """Keep the devices that every machine has; loading a model will say what is wrong."""


def _import_and_list(_stopped: Callable[[], bool]) -> tuple[str, ...]:
    try:
        import_torch_and_open_clip()
    except ImportError as error:
        raise OSError(str(error)) from error  # expected where torch is broken; not our fault
    return available_devices()
