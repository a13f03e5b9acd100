"""A store whose parts come when a test lets them, and a month that is loaded meanwhile."""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from cloudbill.loading.events import Event
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.stopping import Stop
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.store.local import LocalStore
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case, DiskAndDuckDB

if TYPE_CHECKING:
    import pytest

PARTS = 6
LAST = PARTS - 1
WAIT_S = 30
OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "100", "200", note="old"),
    submitted_at=at("2025-10-15 04:00"),
)
NEW = Delivery(
    period="2025-10",
    charges=charges("2025-10", *(f"{n}.000000000000000001" for n in range(1, 13)), note="new"),
    submitted_at=at("2025-10-28 04:00"),
    parts=PARTS,
    # So long that the end of a part, which is fetched before the rest, is not all of it.
    added={"pad": secrets.token_hex(100_000)},
)
LONGER = {"pad": secrets.token_hex(102_000)}
"""For parts that lack something else: none may become shorter than its manifest states."""


class SlowStore(LocalStore):
    """A folder whose files have to be downloaded; each comes when a test lets it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.before: Callable[[int], None] = lambda _: None
        self.asked: list[int] = []
        self.came: set[int] = set()

    def local_path(self, path: str) -> Path | None:  # noqa: ARG002
        """None, as for a bucket."""
        return None

    def download(self, path: str, target: Path) -> None:
        """Copies a part once its time has come."""
        index = int(Path(path).name.split("_")[1])
        self.asked.append(index)
        self.before(index)
        super().download(path, target)
        self.came.add(index)


def state_size(manifest: Path, part: Path) -> None:
    """Lets a manifest say how long a part is now."""
    content = json.loads(manifest.read_text())
    for blob in content["blobs"]:
        if blob["blobName"].endswith(f"/{part.name}"):
            blob["byteCount"] = part.stat().st_size
    manifest.write_text(json.dumps(content))


@dataclass
class World:
    """A month that is loaded from a bucket, into which a newer run may be put."""

    case: Case
    place: DiskAndDuckDB
    writer: AzureWriter
    spool: Path
    monkeypatch: pytest.MonkeyPatch
    store: SlowStore = field(init=False)
    read: set[int] = field(default_factory=set)
    """Parquet parts whose rows DuckDB has asked for and got."""
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open(SlowStore)

    def open(self, kind: type[LocalStore]) -> None:
        """Reads the bucket in another way from now on."""
        store = kind(Path(self.place.bucket))
        self.monkeypatch.setattr("cloudbill.surveying.open_store", lambda *_, **__: store)
        if isinstance(store, SlowStore):
            self.store = store

    def load(self, stop: Stop | None = None) -> Outcome:
        """Loads what is new."""
        self.read.clear()
        return load_source(
            self.case.settings, Selection(), self.events.append, stop=stop, wants_progress=True
        )

    def put(self, delivery: Delivery, others: Mapping[int, Delivery] | None = None) -> None:
        """Delivers a run, some of whose parts are as those of other deliveries."""
        written = self.case.write(delivery)
        for index, other in (others or {}).items():
            part = written.parts[index]
            self.writer._write_part(other, delivery.slices()[index], part)  # noqa: SLF001
            state_size(written.manifest, part)
            os.utime(part, (delivery.submitted_at.timestamp(),) * 2)
        self.place.put(written.folder)

    def wait_until_loaded(self, index: int) -> None:
        """Until the rows of a part are read; CSV parts are read once all of them have come."""
        deadline = time.monotonic() + WAIT_S
        done = self.read if self.writer.changes_type else self.store.came
        while index not in done:
            assert time.monotonic() < deadline, f"part {index} waits for those after it"
            time.sleep(0.01)

    def table(self) -> tuple[list[Any], list[Any]]:
        """The columns in their order, with types and comments, and all rows."""
        with closing(duckdb.connect(str(self.place.database))) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            columns = connection.execute(
                "SELECT column_name, data_type, comment FROM duckdb_columns() "
                "WHERE table_name = 'bill' ORDER BY column_index"
            ).fetchall()
            rows = connection.execute("SELECT * FROM finops.bill ORDER BY ALL").fetchall()
        return columns, rows

    def left(self) -> list[Path]:
        """What lies in the folder for temporary files."""
        return list(self.spool.iterdir())


def after(world: World, waits: Mapping[int, int]) -> Callable[[int], None]:
    """Lets a part come only when the one that it waits for is loaded."""

    def before(index: int) -> None:
        if index in waits:
            world.wait_until_loaded(waits[index])

    return before


def assert_old_month_stands(world: World) -> None:
    """Nothing of the new run is left, neither in the table nor on disk, nor is it being fetched."""
    assert world.case.held() == sorted(OLD.charges, key=lambda charge: charge.day)
    assert world.left() == []
    assert not [t for t in threading.enumerate() if t.name.startswith("download")]
