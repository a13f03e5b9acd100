"""Situations in which a person should look, made on disk, and how the commands should end."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Delivery, charges

if TYPE_CHECKING:
    from contract.deliveries import Writer, Written
    from end_to_end.conftest import Run

AZURE = """
[sources.azure_billing]
bucket = "./exports"
prefix = "transfer/billing"
export_name = "focus-daily"
"""
AWS = """
[sources.aws_billing]
bucket = "./exports"
prefix = "reports"
export_name = "daily"
"""
COMMANDS = (("load",), ("status", "--check"), ("doctor",))
NOW = datetime.now(UTC)
MONTH, BEFORE = f"{NOW:%Y-%m}", f"{NOW.replace(day=1) - timedelta(days=1):%Y-%m}"


def config_of(writer: Writer, *lines: str) -> str:
    """The configuration that loads what a writer delivers."""
    return "\n".join(
        [
            f"[sources.{writer.section}]",
            'bucket = "./exports"',
            f'prefix = "{writer.prefix}"',
            f'export_name = "{writer.export_name}"',
            *lines,
        ]
    )


def ends(run: Run, code: int, *said: str) -> None:
    """All three commands end with a code and say why."""
    for words in COMMANDS:
        done = run(*words)
        assert (words, done.returncode) == (words, code), done
        for text in said:
            assert text in done.stdout + done.stderr, (words, done)
        assert "Traceback" not in done.stderr


def deliver(
    home: Path,
    writer: Writer,
    *,
    at: datetime = NOW - timedelta(hours=3),
    period: str = BEFORE,
    run_id: str = "run",
    parts: int = 2,
    costs: tuple[str, ...] = ("1", "2", "3"),
    damaged: bool = False,
) -> Written:
    """Adds a run to the store, all of whose files were written when it was submitted."""
    scratch = home / f"scratch-{run_id}"
    delivery = Delivery(
        period=period,
        charges=charges(period, *costs),
        submitted_at=at,
        run_id=run_id,
        parts=parts,
        damaged=damaged,
    )
    written = writer.write(scratch, delivery)
    for file in scratch.rglob("*"):
        os.utime(file, (at.timestamp(), at.timestamp()))
    shutil.copytree(scratch, home / "exports", dirs_exist_ok=True)
    shutil.rmtree(scratch)
    files = [home / "exports" / one.relative_to(scratch) for one in written.parts]
    manifest = home / "exports" / written.manifest.relative_to(scratch)
    return type(written)(folder=home / "exports", manifest=manifest, parts=tuple(files))


def remove_manifests(home: Path, written: Written, run_id: str = "") -> None:
    """Takes the manifests away, or those of one run."""
    for manifest in (home / "exports").rglob("*anifest.json"):
        if run_id in str(manifest):
            manifest.unlink()
    assert not written.manifest.exists()


WRITERS = [AzureWriter(), AwsWriter()]
"""One for each provider; of the formats only what breaks a file knows."""
EVERY_WRITER = [*WRITERS, AzureCsvWriter()]


def state_no_sizes(home: Path) -> None:
    """Takes the bytes and rows out of the manifests, which need not state them."""
    for manifest in (home / "exports").rglob("manifest.json"):
        stated = json.loads(manifest.read_text())
        stated["exportConfig"] = None
        stated["dataRowCount"] = None
        for blob in stated["blobs"]:
            blob["byteCount"] = blob["dataRowCount"] = None
        manifest.write_text(json.dumps(stated))
