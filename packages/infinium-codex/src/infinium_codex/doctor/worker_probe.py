"""The process that `worker_process` starts: looks the secret up as the worker does, and reports where it was found.

`python -I -m infinium_codex.doctor.worker_probe DIRECTORY`. The report never contains the secret.
"""

import json
import os
import sys
from pathlib import Path

from infinium_config import InfiniumConfigError, SecretFound, load

from infinium_codex.delivery.secrets import find_secret
from infinium_codex.otlp.extra import is_installed
from infinium_codex.support.paths import find_places
from infinium_codex.support.settings import home_directory
from infinium_codex.support.spawn import leave_directory


def main(argv: list[str]) -> None:
    """Print the report as one line of JSON."""
    leave_directory()
    report = {"python": sys.prefix, "otlp": "installed" if is_installed() else "", **look_up_secret(Path(argv[1]))}
    print(json.dumps(report))  # noqa: T201 - stdout is the doctor's pipe


def look_up_secret(directory: Path) -> dict[str, str]:
    """Where the secret of the project's agent was found, or why it was not."""
    try:
        settings = load(directory, os.environ, home=home_directory(os.environ))
    except InfiniumConfigError as error:
        return {"reason": str(error)}
    if settings.agent_id.value is None:
        return {"reason": "no agent id configured"}
    found = find_secret(find_places(os.environ), settings)
    if isinstance(found, SecretFound):
        return {"source": found.source.value}
    return {"reason": found.reason, "hint": found.hint}


if __name__ == "__main__":
    main(sys.argv)
