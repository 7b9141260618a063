"""The command `pilothouse`. Without a command it opens the console.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 differences found, 4 a service is not there, 130 stopped by ctrl+c.
"""

from __future__ import annotations

import importlib
import io
import keyword
import os
import sys
import traceback
from typing import Any

import click

from metadata.errors import Fault, PilothouseError, ServiceDownError, UsageError

COMMANDS = {
    "audit": "console.cli.audit",
    "blueprint": "console.cli.blueprint",
    "config": "console.cli.services",
    "dataset": "console.cli.datasets",
    "db": "console.cli.services",
    "decision": "console.cli.decisions",
    "demo": "console.cli.demo",
    "down": "console.cli.services",
    "explain": "console.cli.explain",
    "lineage": "console.cli.lineage",
    "model": "console.cli.models",
    "query": "console.cli.datasets",
    "run": "console.cli.runs",
    "schedule": "console.cli.schedules",
    "status": "console.cli.services",
    "try": "console.cli.trying",
    "up": "console.cli.services",
}
"""Each command's module, imported when it is asked for."""


LOCK_SECONDS = 7.0
"""Time that a command waits for another process which keeps the database locked."""


class LazyGroup(click.Group):
    """A group whose commands are imported on use, so that every start is fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        found: click.Command = getattr(importlib.import_module(module), name)
        return found


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pilothouse", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Operations console for data pipelines that are described as metadata.

    Without a command: open the console.

    Exit codes: 0 done, 1 failed or answered with no, 2 wrong use, 3 differences found, 4 a service is not there,
    130 stopped by ctrl+c. PILOTHOUSE_DEBUG=1 shows where what nothing explains has failed.
    """
    if context.invoked_subcommand is None:
        from console.cli.launcher import open_console

        open_console()
    else:
        from metadata.database import waiting_at_most

        context.with_resource(waiting_at_most(LOCK_SECONDS))


def main() -> None:
    """Run the command line; failures are shown in their four parts, never as a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        code: Any = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except PilothouseError as error:
        from console.cli.output import show_error

        show_error(error)
        code = 4 if isinstance(error, ServiceDownError) else 2 if isinstance(error, UsageError) else 1
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody is shown a traceback
        from console.cli.output import show_fault

        show_fault(_unforeseen(error))
        if os.environ.get("PILOTHOUSE_DEBUG"):
            from metadata.secrets import redacted

            sys.stderr.write(redacted("".join(traceback.format_exception(error))))
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _unforeseen(error: Exception) -> Fault:
    """What is said of a failure that nothing explains."""
    first = next((line for line in str(error).splitlines() if line.strip()), "no more is said")
    return Fault(
        code="PH599",
        thing="pilothouse",
        cause=f"{type(error).__name__}: {first}",
        remedy="set PILOTHOUSE_DEBUG=1 to see where, and report it",
    )
