"""Regular expressions that are compiled when they are first used.

A process that traces one turn uses a part of them, and compiling them all takes a tenth of its time.
"""

import re
from typing import AnyStr, cast


def lazy_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return an object that compiles the pattern at its first use, and is used as a compiled one."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))


class _LazyPattern:
    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source, self._flags = source, flags

    def __getattr__(self, name: str) -> object:
        """Return a method of the compiled pattern. It replaces this lookup, so that later uses cost nothing more."""
        compiled: re.Pattern[str] | re.Pattern[bytes] = re.compile(self._source, self._flags)
        for method in ("match", "search", "fullmatch", "finditer", "findall", "split", "sub", "subn"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)
