"""The command line. Each command imports what it needs when it runs: most of what a user types should start at once."""

import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cyclopts import App

    from infinium_codex.support.result import CommandContext, Result


HELP = Path(__file__).parent / "help"
"""What `--help` says of the application and of each command, so that nobody waits for it."""
HELP_COLUMNS = 100


def main() -> None:
    """Entry point of `infinium-codex`."""
    if sys.argv[1:2] == ["hook"]:
        try:
            from infinium_codex.capture.hook import main as hook_main
        except ImportError:  # no `posix`
            from infinium_codex.capture.hook_windows import main as hook_main
        hook_main([str(_hook_program()), *sys.argv[2:]])
    if not _at_once(sys.argv[1:]):
        build_app()()


def _at_once(arguments: list[str]) -> bool:
    """Answer what is asked most often without building the application, which takes longer than the answer."""
    text = _help_text(arguments)
    if text is not None and _fits(HELP_COLUMNS):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # what Python starts with is a TextIOWrapper
        sys.stdout.write(text)
        return True
    if arguments in (["status"], ["status", "--json"]):
        from infinium_codex.commands.status import run

        _finish(run, json=arguments[1:] == ["--json"])
    return False


def _help_text(arguments: list[str]) -> str | None:
    """The help that is asked for, as `nox -s help_text` wrote it; a test compares it with what the application says."""
    match arguments:
        case [] | ["--help" | "-h"]:
            name = "infinium-codex"
        case [command, "--help" | "-h"] if command.replace("-", "").isalpha():
            name = command
        case _:
            return None
    try:
        return (HELP / f"{name}.txt").read_text("utf-8")
    except FileNotFoundError:
        return None


def write_help_texts(directory: Path) -> None:
    """Write what the application says of itself and of each command, for the next who asks."""
    from contextlib import redirect_stdout
    from io import StringIO

    app = build_app()
    for name in ("infinium-codex", *(name for name in app if not name.startswith("-"))):
        with redirect_stdout(StringIO()) as said:
            app(["--help"] if name == "infinium-codex" else [name, "--help"])
        (directory / f"{name}.txt").write_text(said.getvalue(), "utf-8")


def _fits(columns: int) -> bool:
    """Whether a text of this width can be shown; a file or a pipe takes any."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns >= columns
    except (OSError, ValueError):
        return True


def _hook_program() -> Path:
    from infinium_codex.support.paths import find_places

    return find_places(os.environ).data / "hook.py"


def build_app() -> "App":
    """The application with all its commands."""
    from cyclopts import App, Parameter

    from infinium_codex.version import VERSION

    app = App(
        name="infinium-codex",
        help="Trace what Codex does in a project.",
        version=VERSION,
        result_action="return_value",
        default_parameter=Parameter(show_default=False),
    )
    AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
    HowMany = Annotated[int, Parameter(name=["--count", "-n"], show_default=True, help="How many, the newest first.")]

    @app.command
    def init(
        *,
        agent_id: Annotated[str | None, Parameter(help="The agent's UUID.")] = None,
        agent_secret: Annotated[
            str | None,
            Parameter(allow_leading_hyphen=True, help="The agent's secret; '-' reads it from standard input."),
        ] = None,
        base_url: Annotated[str | None, Parameter(help="The API's address, or 'local'.")] = None,
        granularity: Annotated[
            Literal["turn", "session", "both"] | None, Parameter(help="What becomes a trace (default: turn).")
        ] = None,
        trust: Annotated[bool | None, Parameter(help="Trust these hooks in Codex.")] = None,
        local: Annotated[
            bool, Parameter(negative="", help="Keep the traces on this machine: no account, no secret.")
        ] = False,
        gitignore: Annotated[bool, Parameter(negative="", help="Add .infinium/ to .gitignore.")] = False,
        interactive: Annotated[bool, Parameter(help="Ask for what is missing.")] = True,
        json: AsJson = False,
    ) -> None:
        """Set this project up, and report what Codex says of it."""
        from infinium_config import Granularity

        from infinium_codex.commands.init import InitOptions, run

        options = InitOptions(
            agent_id=agent_id,
            agent_secret=agent_secret,
            base_url=base_url,
            granularity=Granularity(granularity) if granularity else None,
            trust=trust,
            local=local,
            gitignore=gitignore,
            interactive=interactive and not json,
        )
        _finish(lambda ctx: run(options, ctx), json=json)

    @app.command
    def update_credentials(
        *,
        agent_id: Annotated[str | None, Parameter(help="Another agent's UUID.")] = None,
        agent_secret: Annotated[
            str | None,
            Parameter(allow_leading_hyphen=True, help="The secret; '-' reads it from standard input."),
        ] = None,
        base_url: Annotated[
            str | None, Parameter(help="The project's address, to say that the secret may go there.")
        ] = None,
        json: AsJson = False,
    ) -> None:
        """Store another secret for this project's agent, and send what waited for it."""
        from infinium_codex.commands.update_credentials import NewCredentials, run

        given = NewCredentials(agent_id=agent_id, agent_secret=agent_secret, base_url=base_url)
        _finish(lambda ctx: run(given, ctx), json=json)

    @app.command
    def test(*, json: AsJson = False) -> None:
        """Send one small test trace, and say what came of it."""
        from infinium_codex.commands.test import run

        _finish(run, json=json)

    @app.command
    def uninstall(
        *,
        yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask.")] = False,
        json: AsJson = False,
    ) -> None:
        """Remove our hooks, our settings and the secret from this project: nothing else."""
        from infinium_codex.commands.uninstall import run

        _finish(lambda ctx: run(ctx, yes=yes), json=json)

    @app.command
    def status(*, json: AsJson = False) -> None:
        """Show what is set here, where each value comes from, and what waits."""
        from infinium_codex.commands.status import run

        _finish(run, json=json)

    @app.command
    def doctor(
        *,
        online: Annotated[bool, Parameter(negative="", help="Also ask the API, without the secret.")] = False,
        fix: Annotated[bool, Parameter(negative="", help="Mend what needs no question.")] = False,
        json: AsJson = False,
    ) -> None:
        """Look at every link from Codex to the API; ends with 0 if traces will flow, 1 if not, 3 if unknown."""
        from infinium_codex.commands.doctor import run

        _finish(lambda ctx: run(ctx, online=online, fix=fix), json=json)

    @app.command
    def pause(*, json: AsJson = False) -> None:
        """Record nothing in this project until 'resume'."""
        from infinium_codex.commands.pause import run

        _finish(lambda ctx: run(ctx, paused=True), json=json)

    @app.command
    def resume(*, json: AsJson = False) -> None:
        """Record again."""
        from infinium_codex.commands.pause import run

        _finish(lambda ctx: run(ctx, paused=False), json=json)

    @app.command
    def history(
        *,
        count: HowMany = 20,
        clear: Annotated[bool, Parameter(negative="", help="Forget what was sent.")] = False,
        json: AsJson = False,
    ) -> None:
        """List what was sent, to the API or to this machine."""
        from infinium_codex.commands.history import run

        _finish(lambda ctx: run(ctx, count=count, clear=clear), json=json)

    @app.command
    def show(
        key: Annotated[str, Parameter(help="A trace's key, as 'history' lists it.")], *, json: AsJson = False
    ) -> None:
        """Print one trace."""
        from infinium_codex.commands.show import run

        _finish(lambda ctx: run(key, ctx), json=json)

    @app.command
    def errors(*, count: HowMany = 20, json: AsJson = False) -> None:
        """List what went wrong."""
        from infinium_codex.commands.errors import run

        _finish(lambda ctx: run(ctx, count=count), json=json)

    @app.command
    def retry(
        *,
        dead: Annotated[bool, Parameter(negative="", help="Also try what the API had refused.")] = False,
        dry_run: Annotated[bool, Parameter(negative="", help="Only say what would be sent.")] = False,
        json: AsJson = False,
    ) -> None:
        """Send what waits, now."""
        from infinium_codex.commands.retry import run

        _finish(lambda ctx: run(ctx, dead=dead, dry_run=dry_run), json=json)

    @app.command
    def cleanup(
        *,
        days: Annotated[int, Parameter(show_default=True, help="Keep what is younger.")] = 30,
        dry_run: Annotated[bool, Parameter(negative="", help="Only say what would go.")] = False,
        json: AsJson = False,
    ) -> None:
        """Remove old records of what was sent, old logs, and what dead sessions left."""
        from infinium_codex.commands.cleanup import run

        _finish(lambda ctx: run(ctx, days=days, dry_run=dry_run), json=json)

    @app.command
    def managed_config(
        *,
        directory: Annotated[
            Path, Parameter(help="Where the hooks run from, on every machine. [default: /opt/infinium-codex]")
        ] = Path("/opt/infinium-codex"),
        only: Annotated[bool, Parameter(negative="", help="Let no other hooks run.")] = False,
        prepare: Annotated[
            bool, Parameter(negative="", help="Make that directory here, of this installation.")
        ] = False,
        json: AsJson = False,
    ) -> None:
        """Print the requirements.toml that rolls the hooks out to a fleet as managed hooks."""
        from infinium_codex.commands.managed_config import run

        _finish(lambda ctx: run(ctx, directory=directory, only=only, prepare=prepare), json=json)

    @app.command
    def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Whose.")], /) -> None:
        """Print a script that completes these commands in your shell."""
        from infinium_codex.support.result import Result

        script = app.generate_completion(shell=shell)
        _finish(lambda _: Result.success(tuple(script.splitlines())), json=False)

    @app.command
    def demo(
        *,
        codex: Annotated[bool, Parameter(negative="", help="Run the real Codex, with a scripted model.")] = False,
        json: AsJson = False,
    ) -> None:
        """Trace one turn in a throw-away home, and show the trace."""
        from infinium_codex.demo.command import DemoOptions, run

        _finish(lambda ctx: run(DemoOptions(codex=codex), ctx), json=json)

    return app


def _finish(command: "Callable[[CommandContext], Result]", *, json: bool) -> None:
    """Run a command, print its result, end with its exit code. The one place that prints and that catches."""
    from infinium_codex.support.result import CommandError, Result, describe

    try:
        result = command(_context())
    except CommandError as error:
        result = error.result
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D at a question
        result = Result.failure("Stopped.", exit_code=130)
    except Exception as error:
        if os.environ.get("INFINIUM_DEBUG"):
            raise
        result = describe(error)
    if json:
        from json import dumps

        print(dumps(result.to_json(), indent=2, ensure_ascii=False, default=str))
    else:
        stream = sys.stdout if result.ok or result.asked_for else sys.stderr
        print("\n".join(result.lines), file=stream)
    sys.exit(result.exit_code)


def _context() -> "CommandContext":
    from infinium_codex.support.paths import find_places
    from infinium_codex.support.result import CommandContext

    return CommandContext(
        environ=dict(os.environ),
        cwd=Path.cwd(),
        places=find_places(os.environ),
        stdin=sys.stdin,
        interactive=sys.stdin.isatty() and sys.stdout.isatty(),
        ask=_ask,
    )


def _ask(question: str, hidden: bool) -> str:
    return getpass.getpass(f"{question}: ") if hidden else input(f"{question}: ")


if __name__ == "__main__":
    main()
