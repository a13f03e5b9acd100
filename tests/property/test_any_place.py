"""Wherever an export lies, what is found of it is what discovery then reads."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloudbill.exports.discovery import discover
from cloudbill.setup.export_search import find_exports
from cloudbill.store.folders import LocalBrowser
from cloudbill.store.local import LocalStore
from figures import tries

NAMES = st.text(
    st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"], exclude_characters="/\\"),
    min_size=1,
    max_size=8,
).filter(lambda name: name not in {".", ".."})
RANGES = st.sampled_from(["20250901-20250930", "20251001-20251031", "20251001-20251101"])
PLACES = st.tuples(st.lists(NAMES | RANGES, max_size=3), NAMES)


def write(root: Path, folders: Sequence[str], name: str, *, is_azure: bool) -> None:
    """A manifest that nothing but its path says anything of."""
    folder = root.joinpath(*folders, name, "20251001-20251031", "run")
    folder.mkdir(parents=True, exist_ok=True)
    file = "manifest.json" if is_azure else f"{name}-Manifest.json"
    (folder / file).write_text(json.dumps({}))


@tries(80)
@given(azure=st.lists(PLACES, max_size=3), aws=st.lists(PLACES, max_size=3))
def test_discovery_reads_every_manifest_that_was_found_and_none_is_missed(
    azure: list[tuple[list[str], str]], aws: list[tuple[list[str], str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for places, is_azure in ((azure, True), (aws, False)):
            for folders, name in places:
                write(root, folders, name, is_azure=is_azure)
        store = LocalStore(root)
        finding = find_exports(store, LocalBrowser(root))
        read: set[str] = set()
        for export in finding.exports:
            found = discover(
                store, export.provider, prefix=export.prefix, export_name=export.export_name
            )
            paths = {run.manifest.path for run in found.runs} | {f.path for f in found.failures}
            assert len(paths) == export.manifests
            read |= paths
        written = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert read == written
