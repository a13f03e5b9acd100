"""The units for systemd: it reads them, and their script runs with what they leave it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from end_to_end.conftest import ROOT, configure
from samples import write_azure

UNITS = sorted((ROOT / "examples/systemd").iterdir())
SERVICE = (ROOT / "examples/systemd/cloudbill.service").read_text()
NOT_A_FOLDER_OF_FILES = ("/proc", "/sys", "/dev/pts", "/dev/mqueue")
# What systemd does before it starts a service: everything is read-only but some folders.
SANDBOX = """
mount --make-rprivate /
for folder in $WRITABLE; do mount --bind "$folder" "$folder"; done
while read -r _ _ _ _ point _; do
    case " $WRITABLE $LEFT " in *" $point "*) ;; *)
        case $point in /proc* | /sys*) ;; *) mount -o remount,bind,ro "$point" || exit 99 ;; esac
    esac
done < /proc/self/mountinfo
exec unshare --user --map-user=10001 --map-group=10001 "$@"
"""


def settings(name: str) -> list[str]:
    """The values of a setting of the service."""
    found = [line.partition("=") for line in SERVICE.splitlines() if not line.startswith("#")]
    return [value for key, _, value in found if key == name]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the whole machine, with the folders of the service and the units."""
    root = tmp_path_factory.mktemp("systemd")
    bills = root / "srv/bills"
    bills.mkdir(parents=True)
    for unit in UNITS:
        (root / unit.name).write_text(moved(unit.read_text(), root))
    shutil.copy(ROOT / "examples/load.sh", bills)
    source = 'bucket = "./exports"\nprefix = "billing"\nexport_name = "focus-daily"\n'
    configure(bills, f"[sources.azure_billing]\n{source}")
    write_azure(bills / "exports", months=1, rows=60, seed=4)
    return root


def moved(text: str, root: Path) -> str:
    """A text with the folders of a machine below another one."""
    for folder in ("/srv/bills", "/var/lib", "/var/cache"):
        text = text.replace(folder, f"{root}{folder}")
    return text.replace("/opt/cloudbill/bin", str(Path(sys.executable).parent))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
class TestRead:
    def analyze(self, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemd-analyze", *words],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def test_systemd_takes_the_units(self, place: Path) -> None:
        names = ("./cloudbill.service", "./cloudbill.timer", "./cloudbill-failed@x.service")
        done = self.analyze(place, "verify", *names)
        assert (done.returncode, done.stderr) == (0, "")

    def test_systemd_rates_the_service_as_little_exposed(self, place: Path) -> None:
        words = ("security", "--offline=yes", "--threshold=20", "./cloudbill.service")
        done = self.analyze(place, *words)
        if "unrecognized option" in done.stderr:
            pytest.skip("this systemd cannot rate a file")
        assert done.returncode == 0, done.stdout


class TestService:
    def test_a_held_run_is_a_failure_that_somebody_is_told_of(self) -> None:
        assert not settings("SuccessExitStatus")
        assert settings("OnFailure") == ["cloudbill-failed@%n.service"]
        assert "cloudbill-failed@.service" in [unit.name for unit in UNITS]

    def test_the_other_unit_tells_which_one_has_failed(self, tmp_path: Path) -> None:
        text = (ROOT / "examples/systemd/cloudbill-failed@.service").read_text()
        (command,) = [
            line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStart=")
        ]
        for name in ("journalctl", "mail"):
            words = f'printf "%s|" "$@" > said-{name}'
            (tmp_path / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{words}\ncat\n")
            (tmp_path / name).chmod(0o755)
        # As systemd does: a doubled sign is one, and the name of the unit is put in.
        line = command.replace("$$", "$").replace("%i", "cloudbill.service")
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MAIL_TO": "finops@example.com"}
        subprocess.run(["/bin/sh", "-c", line], env=env, check=True, stdin=subprocess.DEVNULL)
        assert "--unit=cloudbill.service|" in (tmp_path / "said-journalctl").read_text()
        mailed = (tmp_path / "said-mail").read_text()
        assert mailed.startswith("-s|cloudbill.service has failed on ")
        assert mailed.endswith("|finops@example.com|")


def sandbox(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command with the folders, the variables and the rights that the unit gives it."""
    writable = [*settings("ReadWritePaths"), "/var/lib/cloudbill", "/var/cache/cloudbill"]
    folders = [moved(folder, place) for folder in (*writable, "/var/lib/private-tmp")]
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
    assigned = [moved(word, place) for value in settings("Environment") for word in value.split()]
    as_root = [] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user"]
    command = ["unshare", "--mount", "/bin/sh", "-euc", SANDBOX, "sh"]
    env = ["env", "-i", f"TMPDIR={folders[-1]}", *assigned]
    return subprocess.run(
        [*as_root, *command, *env, *words],
        cwd=moved(settings("WorkingDirectory")[0], place),
        env={**os.environ, "WRITABLE": " ".join(folders), "LEFT": " ".join(NOT_A_FOLDER_OF_FILES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def done(place: Path) -> subprocess.CompletedProcess[str]:
    """The script, run with what the unit leaves it."""
    if sandbox(place, "true").returncode:
        pytest.skip("folders cannot be made read-only here")
    return sandbox(place, moved(settings("ExecStart")[0], place))


class TestSandbox:
    def test_the_script_loads_a_bill(
        self, place: Path, done: subprocess.CompletedProcess[str]
    ) -> None:
        # The sample is of a year that has gone by.
        assert done.returncode == 8, done.stderr
        assert all(json.loads(line) for line in (done.stdout + done.stderr).splitlines())
        assert (place / "srv/bills/cloudbill.duckdb").exists()

    def test_it_could_not_write_elsewhere_and_does_not_need_to(
        self, place: Path, done: subprocess.CompletedProcess[str]
    ) -> None:
        assert done.returncode == 8
        for folder in (place, Path(sys.executable).parent, Path("/var/tmp")):  # noqa: S108
            refused = sandbox(place, "touch", str(folder / "written"))
            assert "Read-only" in refused.stderr
        assert sandbox(place, "touch", str(place / "srv/bills/written")).returncode == 0

    def test_the_script_and_its_folder_are_those_of_the_page(self) -> None:
        assert settings("WorkingDirectory") == settings("ReadWritePaths") == ["/srv/bills"]
        assert settings("ExecStart") == ["/srv/bills/load.sh"]
