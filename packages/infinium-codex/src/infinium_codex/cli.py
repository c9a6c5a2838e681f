"""Entry point: registers every command by the name of its function, and runs the one that is asked for."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclopts import App

COMMANDS = {
    "init": "Set up tracing in this project.",
    "update-credentials": "Store a new secret for this project's agent, then send its queued traces.",
    "test": "Send one test trace and show the server's answer.",
    "uninstall": "Remove the hooks, settings and secret from this project.",
    "status": "Show whether this project is traced, the state of delivery, and the settings with their sources.",
    "doctor": "Check every step from Codex to the API. Exits with 0 if traces will arrive, 1 if not, 3 if unknown.",
    "config": "Read and change the settings that a file can hold.",
    "pause": "Stop recording in this project until 'resume'.",
    "resume": "Start recording in this project again.",
    "history": "List the traces of this project that were sent, newest first.",
    "list": "List the sessions and turns of this project, newest first, also those that were not traced.",
    "cost": "Show tokens and cost by day, session, model or project.",
    "watch": "Show the running session live.",
    "show": "Show what a turn did: request, steps, outputs, changes, tests, tokens, cost and delivery.",
    "report": "Write an HTML page of a session: conversation, changes, tests, timeline, tokens and cost.",
    "share": "Write one turn without its secrets, as Markdown or HTML, for a pull request or an issue.",
    "export": "Export turns to an OpenTelemetry engine, or to a file for Perfetto and Speedscope.",
    "grade": "Show the grade that Infinium gave a trace.",
    "errors": "List errors, dead letters and dropped traces of this project, newest first.",
    "logs": "Show what worker and scheduler did with each trace.",
    "retry": "Send queued traces now.",
    "queue": "List queued traces, or delete some.",
    "flush": "Trace and send everything that is left, and wait until it is sent.",
    "preview": "Show exactly what would be sent of a turn, with each redaction marked, and send nothing.",
    "gaps": "List the turns of this project that have not reached Infinium, with the reason.",
    "backfill": "Send the turns of this project that were never traced.",
    "cleanup": "Remove old history, old logs and leftovers of ended sessions.",
    "managed-config": "Print a requirements.toml that installs the hooks for every user of a machine.",
    "completion": "Print a shell completion script.",
    "demo": "Trace one turn in a temporary home directory and show the trace.",
}
"""Each command with its help. `commands/NAME.py` has a function of the same name, imported when it is called."""
CONFIG_COMMANDS = {
    "get": ("get", "Print the value of a setting."),
    "set": ("set_value", "Write a setting to the project file, or with --user to your own file."),
    "unset": ("unset", "Remove a setting from the project file, or with --user from your own file."),
    "list": ("list_settings", "List the settings that a file can hold, with value and source."),
}
"""The commands below `config`: function in `commands/config.py`, and help."""
QUEUE_COMMANDS = {
    "list": ("list_traces", "List queued traces and dead letters of this project with their address."),
    "drop": ("drop", "Delete queued traces or dead letters."),
}
"""The commands below `queue`: function in `commands/queue.py`, and help."""
_GROUPS = {"config": CONFIG_COMMANDS, "queue": QUEUE_COMMANDS}


def main() -> None:
    """Run the command that `sys.argv` names."""
    from infinium_codex.console.run import run_command

    run_command(build_app(), sys.argv[1:])


def build_app() -> "App":
    """The application with all its commands, none of them imported."""
    from cyclopts import App, Parameter

    from infinium_codex.version import VERSION

    options: dict[str, Any] = {
        "help_format": "plaintext",  # Markdown takes half as long again to import
        "default_parameter": Parameter(show_default=False),
    }
    app = App(name="infinium-codex", help="Trace what Codex does in a project.", version=VERSION, **options)
    for name, text in COMMANDS.items():
        function = name.replace("-", "_")
        if name in _GROUPS:
            group = App(name=name, help=text, version_flags=(), **options)
            for word, (target, help_text) in _GROUPS[name].items():
                group.command(f"infinium_codex.commands.{function}:{target}", name=word, help=help_text)
            app.command(group)
        else:
            app.command(f"infinium_codex.commands.{function}:{function}", name=name, help=text)
    return app


if __name__ == "__main__":
    main()
