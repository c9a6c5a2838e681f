"""The other end of `detached`: a process started as the worker is, which tells on stdout what it can get at.

`python -I -m infinium_codex.doctor.probe DIRECTORY`. It looks the secret up as the worker does, and tells where it
was found, never what it is.
"""

import json
import os
import sys
from pathlib import Path

from infinium_config import InfiniumConfigError, SecretFound, load

from infinium_codex.delivery.secrets import find_secret
from infinium_codex.support.paths import find_places
from infinium_codex.support.settings import home_directory


def main(argv: list[str]) -> None:
    """Look, and print one line of JSON."""
    os.chdir("/")
    print(json.dumps({"python": sys.prefix, **secret_in(Path(argv[1]))}))  # noqa: T201 - stdout is the doctor's pipe


def secret_in(directory: Path) -> dict[str, str]:
    """Where the secret of the project's agent was found, or why it was not."""
    try:
        settings = load(directory, os.environ, home=home_directory(os.environ))
    except InfiniumConfigError as error:
        return {"reason": str(error)}
    if settings.agent_id.value is None:
        return {"reason": "there is no agent id"}
    found = find_secret(find_places(os.environ), settings)
    if isinstance(found, SecretFound):
        return {"source": found.source.value}
    return {"reason": found.reason, "hint": found.hint}


if __name__ == "__main__":
    main(sys.argv)
