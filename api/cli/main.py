"""`anodyne`: the root of the command line. Each noun is a module of its own, imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from api.cli.output import Output, show_error

__all__ = ["cli"]

NOUNS: dict[str, tuple[str, str]] = {
    "serve": ("api.cli.serve", "Serve the API (and, embedded, keep the projections up to date)."),
    "demo": ("api.cli.demo", "Three fictional clinics that have run for months."),
    "db": ("api.cli.database", "The database's schema."),
    "user": ("api.cli.people", "Who may sign in."),
    "key": ("api.cli.people", "API keys."),
    "worker": ("api.cli.worker", "The process that keeps the projections up to date."),
    "reminders": ("api.cli.mail", "Letters to patients and staff: the outbox."),
    "digest": ("api.cli.mail", "The weekly digest: who reads it, compute and send it."),
    "projections": ("api.cli.projections", "Read models: how far they are, rebuild, retry, skip."),
    "audit": ("api.cli.audit", "Verify and export the log."),
    "import": ("api.cli.imports", "Read other software's exports."),
    "config": ("api.cli.config", "The settings in force."),
    "docs": ("api.cli.docs", "Documents generated from the code."),
}


class Root(click.Group):
    """Loads a noun's module when it is asked for; words every error; keeps exit codes to 0, 1 and 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NOUNS:
            return None
        module = import_module(NOUNS[cmd_name][0])
        command: click.Command = module.COMMANDS[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in NOUNS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """click's own main, with our wording of what goes wrong."""
        kwargs["standalone_mode"] = False
        try:
            outcome = super().main(*args, **kwargs)
            sys.exit(outcome if isinstance(outcome, int) else 0)
        except click.exceptions.Exit as done:
            sys.exit(done.exit_code)
        except (click.Abort, KeyboardInterrupt):
            click.echo("stopped", err=True)
            sys.exit(1)
        except click.UsageError as wrong:
            wrong.show()
            sys.exit(2)
        except Exception as error:
            from api.cli.errors import worded  # every driver's errors: too slow to load for a command that works

            failed = worded(error)
            if failed is None:
                raise
            asked = (args[0] if args else kwargs.get("args")) or sys.argv[1:]
            show_error(failed, as_json="--json" in asked)
            sys.exit(failed.exit_code)


def _version() -> str:
    try:
        return version("anodyne")
    except PackageNotFoundError:
        return "unknown"


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(_version(), prog_name="anodyne")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option(
    "--env-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read ANODYNE_* from this file."
)
@click.pass_context
def cli(ctx: click.Context, as_json: bool, env_file: Path | None) -> None:
    """Practice management for ketamine-infusion pain clinics.

    Settings are ANODYNE_* environment variables (see .env.example). Every command takes --json.
    Exit codes: 0 done, 1 not done or does not hold, 2 asked wrongly.
    """
    ctx.obj = Output(as_json=as_json)
    ctx.meta["anodyne.env_file"] = env_file


if __name__ == "__main__":
    cli()
