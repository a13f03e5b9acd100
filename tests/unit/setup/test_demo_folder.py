"""The folder of the demo: claimed, and filled in one step."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudbill.errors import ConfigError
from cloudbill.setup.demo_folder import claim_folder, leave_other_settings, make_exports


def test_a_folder_is_made_or_taken_if_it_is_empty_and_is_known_again(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "new/demo", tmp_path / "empty"):
        claim_folder(folder)
        written = sorted(path.name for path in folder.rglob("*.*"))
        assert written == [".dlt", ".gitignore", "config.toml"]
        (folder / "report.html").touch()
        claim_folder(folder)


@pytest.mark.parametrize("name", ["notes", ".gitignore"])
def test_a_folder_with_anything_else_in_it_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="name another folder with --folder"):
        claim_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_in_which_duckdb_can_keep_no_file_is_refused_before_it_is_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"'\?' is in its path.*--folder"):
        claim_folder(tmp_path / "x?y")
    assert list(tmp_path.iterdir()) == []


def test_exports_are_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    def stopped(target: Path) -> None:
        target.mkdir()
        (target / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_exports(tmp_path, stopped)
    assert not list(tmp_path.iterdir())

    assert make_exports(tmp_path, lambda target: target.mkdir())
    assert not make_exports(tmp_path, stopped)
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def test_exports_that_another_process_wrote_first_stay(tmp_path: Path) -> None:
    def late(target: Path) -> None:
        target.mkdir()
        (tmp_path / "exports").mkdir()
        (tmp_path / "exports/theirs").touch()

    make_exports(tmp_path, late)
    assert [path.name for path in (tmp_path / "exports").iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def test_variables_that_would_decide_are_left_out() -> None:
    environment = {"SOURCES__BUCKET": "a", "DLT_PROJECT_DIR": "b", "PATH": "c"}
    assert leave_other_settings(environment) == ("DLT_PROJECT_DIR", "SOURCES__BUCKET")
    assert environment == {"PATH": "c"}
