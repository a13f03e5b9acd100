"""Writes the exact version of everything into pyproject.toml.

The lock file is not kept, because it names the host of the packages; constraints do not.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXPORTED = ("--all-groups", "--no-hashes", "--no-emit-project", "--no-annotate")


def main() -> None:
    """Resolves without the present constraints, and replaces them by the result."""
    project = ROOT / "pyproject.toml"
    text = project.read_text()
    (ROOT / "uv.lock").unlink(missing_ok=True)
    project.write_text(_with_constraints(text, []))
    try:
        exported = subprocess.run(
            ["uv", "export", "--quiet", *EXPORTED],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    except subprocess.CalledProcessError as error:
        project.write_text(text)
        raise SystemExit(error.stderr) from error
    pins = [line.strip() for line in exported.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    project.write_text(_with_constraints(text, pins))
    subprocess.run(["uv", "lock", "--quiet"], cwd=ROOT, check=True)
    print(f"{len(pins)} versions are in pyproject.toml")


def _with_constraints(text: str, pins: list[str]) -> str:
    quoted = "".join(f'    "{pin.replace(chr(34), chr(39))}",\n' for pin in pins)
    block = f"constraint-dependencies = [\n{quoted}]" if pins else "constraint-dependencies = []"
    pattern = r"constraint-dependencies = \[(?:\n(?:    .*\n)*)?\]"
    replaced, count = re.subn(pattern, lambda _: block, text)
    if count != 1:
        raise SystemExit("pyproject.toml has no constraint-dependencies to replace")
    return replaced


if __name__ == "__main__":
    main()
