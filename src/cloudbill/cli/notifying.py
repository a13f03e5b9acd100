"""The command that tries whether messages arrive."""

from __future__ import annotations

from cloudbill.cli.console import Console, SourceName, Verbose
from cloudbill.cli.each_source import attempt, each_source
from cloudbill.text.failures import SourceFailure

__all__ = ["notify"]


def notify(source: SourceName = "all", *, verbose: Verbose = False) -> None:
    """Send a test message to each destination of `notify`, and say what came back.

    The exit code is 1 if a destination did not take it.
    """
    from cloudbill.alerts.messages import test_message
    from cloudbill.cli.deployments import sender
    from cloudbill.cli.telling import send_each
    from cloudbill.errors import CloudbillError, ConfigError
    from cloudbill.periods import utc_now
    from cloudbill.settings import SourceSettings

    console = Console(verbose=verbose)
    failures: list[SourceFailure] = []
    sources: list[SourceSettings] = []
    lost: list[str] = []

    def try_each() -> None:
        each_source(source, sources.append, failed=failures.append)
        found = tuple(dict.fromkeys(one for settings in sources for one in settings.notify))
        if not (found or failures):
            raise ConfigError(
                "'notify' names nobody to tell. Set it in [sources] of .dlt/secrets.toml, such as "
                'notify = "https://...", or in the variable SOURCES__NOTIFY'
            )
        message = test_message(utc_now(), sender())
        answers = send_each(dict.fromkeys(found, message), found)
        for destination, (name, answer) in answers.items():
            of = [one.source for one in sources if destination in one.notify]
            line = f"{name} ({', '.join(of)}): {answer.words}"
            if answer.is_well:
                console.say(f"ok  {line}")
            else:
                lost.append(name)
                console.warn(f"not sent  {line}")

    attempt(None, try_each, failures.append)
    console.close(failures, [CloudbillError.exit_code] if lost else [])
