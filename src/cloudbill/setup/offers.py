"""What is said of the exports that were found, so that somebody can choose."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from cloudbill.errors import ConfigError
from cloudbill.setup.export_search import Finding, FoundExport, NotLoaded
from cloudbill.text.counts import counted

__all__ = ["double_lines", "found_line", "no_choice_error", "not_loaded_line"]


def found_line(export: FoundExport) -> str:
    """A found export in one line."""
    months = counted(export.months, "month")
    manifests = counted(export.manifests, "manifest")
    unread = "" if export.is_readable else "; its newest manifest cannot be read"
    return (
        f"{_named(export)}{_where(export.prefix)} - {months}, {manifests}, "
        f"newest {export.newest_at:%Y-%m-%d %H:%M} UTC{unread}"
    )


def not_loaded_line(found: NotLoaded) -> str:
    """What looks like an export and cannot be loaded, in one line."""
    return f"Not loaded: {found.export_name}{_where(found.prefix)}, because {found.why}"


def double_lines(exports: Sequence[FoundExport]) -> Iterator[str]:
    """A line for the exports that deliver the same charges, as far as manifests say so.

    Those are exports of one cloud with the same scope and a month in common.
    """
    alike: dict[tuple[str, str], list[FoundExport]] = defaultdict(list)
    for export in exports:
        if export.scope is not None:
            alike[export.provider.CLOUD, export.scope].append(export)
    for (_, scope), group in sorted(alike.items()):
        months = Counter(period for export in group for period in export.periods)
        both = {period for period, count in months.items() if count > 1}
        *names, last = [_named(export) for export in group if export.periods & both] or [""]
        if names:
            yield (
                f"{', '.join(names)} and {last} deliver the same charges, those of {scope}: each "
                "goes into a table of its own, and adding them up doubles the bill"
            )


def no_choice_error(finding: Finding, bucket: str, prefix: str) -> ConfigError:
    """The error if no export, or more than one, was found."""
    where = f"{bucket}, folder '{prefix}'" if prefix else bucket
    rest = (
        ""
        if finding.is_whole
        else " That was not the whole bucket; give --prefix to say where to look."
    )
    others = "".join(f"\n  {not_loaded_line(one)}" for one in finding.others)
    if not finding.exports:
        searched = counted(finding.folders, "folder was", plural="folders were")
        return ConfigError(
            f"No export was found in {where} ({searched} searched).{rest} "
            "Give --provider, --prefix and --export-name if its first run has not arrived yet"
            f"{others}"
        )
    lines = "".join(f"\n  {_options(export)}  ({found_line(export)})" for export in finding.exports)
    doubles = "".join(f"\n  {line}" for line in double_lines(finding.exports))
    return ConfigError(
        f"{len(finding.exports)} exports are in {where}.{rest} Take all of them with --all, or "
        f"choose one by its options:{lines}{doubles}{others}"
    )


def _named(export: FoundExport) -> str:
    return f"{export.provider.NAME}: {export.export_name}"


def _where(prefix: str) -> str:
    return f" in {prefix}" if prefix else ""


def _options(export: FoundExport) -> str:
    return shlex.join(
        [
            *("--provider", export.provider.NAME),
            *("--prefix", export.prefix),
            *("--export-name", export.export_name),
        ]
    )
