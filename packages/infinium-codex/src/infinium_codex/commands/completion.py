"""`infinium-codex completion`: print a shell completion script."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from infinium_codex.support.result import Result


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish", "powershell"], Parameter(help="Shell to generate completion for.")],
    /,
    *,
    app: Annotated[App, Parameter(parse=False)],
) -> Result:
    """Print a script that completes the commands and options in `shell`."""
    lines = tuple((_powershell(app) if shell == "powershell" else app.generate_completion(shell=shell)).splitlines())
    return Result(ok=True, exit_code=0, lines=lines, verbatim=True)


def _powershell(app: App) -> str:
    """The script for PowerShell, which cyclopts does not write."""
    options = {name: _options(app[name]) for name in app if not name.startswith("-")}
    table = "\n".join(f"    '{name}' = @({', '.join(map(_quoted, found))})" for name, found in options.items())
    return _POWERSHELL.replace("TABLE", table)


def _options(command: App) -> list[str]:
    """The options of a command; of a group such as `config` also its commands."""
    if command.default_command is None:
        words = [name for name in command if not name.startswith("-")]
        return sorted({*words, *(option for word in words for option in _options(command[word]))})
    arguments = command.assemble_argument_collection(parse_docstring=False)
    parsed = [argument for argument in arguments if argument.parse]
    return sorted({name for argument in parsed for name in argument.names if name.startswith("--")} | {"--help"})


def _quoted(name: str) -> str:
    return f"'{name}'"


_POWERSHELL = """\
# Add to $PROFILE: infinium-codex completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName infinium-codex -ScriptBlock {
  param($word, $line, $position)
  $options = @{
TABLE
  }
  $words = @($line.CommandElements | ForEach-Object { $_.ToString() })
  $command = $words | Select-Object -Skip 1 | Where-Object { $options.ContainsKey($_) } | Select-Object -First 1
  $found = if ($command -and $command -ne $word) { $options[$command] } else { $options.Keys | Sort-Object }
  $found | Where-Object { $_ -like "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
"""
