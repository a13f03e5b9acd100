"""The commands `help` and `completion` say what the options of the same kind say."""

from __future__ import annotations

import subprocess

import pytest

from end_to_end.conftest import Run


@pytest.mark.parametrize("words", [(), ("load",), ("state",), ("state", "rebuild")])
def test_help_of_a_command_is_that_of_its_option(run: Run, words: tuple[str, ...]) -> None:
    asked = run("help", *words)

    assert (asked.returncode, asked.stdout) == (0, run(*words, "--help").stdout)


def test_a_command_that_does_not_exist_has_no_help(run: Run) -> None:
    asked = run("help", "lod")

    assert asked.returncode == 2
    assert "No such command 'lod'. Did you mean 'load'?" in asked.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_prints_the_script_of_a_shell(run: Run, shell: str) -> None:
    printed = run("completion", shell)

    assert printed.returncode == 0
    assert "_CLOUDBILL_COMPLETE" in printed.stdout
    assert f"complete_{shell}" in printed.stdout


def test_bash_takes_the_script_for_the_command(run: Run) -> None:
    script = run("completion", "bash").stdout

    done = subprocess.run(
        ["bash", "-c", f"{script}\ncomplete -p cloudbill"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "complete -o default -F _cloudbill_completion cloudbill\n"
