"""Compare traces with the truth.

`nox -s truth` plays scenarios on versions of Codex, `nox -s truth -- --corpus DIR` counts transcripts.
"""

import sys
from pathlib import Path

from codex_install import ALL
from truth_corpus import compare
from truth_versions import EXPECTED, print_table


def main(arguments: list[str]) -> int:
    """Run with the versions and scenarios that are named, by default all; return the exit code."""
    if arguments[:1] == ["--corpus"]:
        return 0 if all(compare(Path(directory)) for directory in arguments[1:]) else 1
    versions = [argument for argument in arguments if argument[0].isdigit()] or list(ALL)
    scenarios = [argument for argument in arguments if argument in EXPECTED] or list(EXPECTED)
    return 0 if print_table(versions, scenarios) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
