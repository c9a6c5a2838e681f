"""Detects the programming languages of files by their suffixes."""

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

_BY_SUFFIX = {
    ".py": "Python", ".pyi": "Python", ".js": "JavaScript", ".jsx": "JavaScript", ".mjs": "JavaScript",
    ".cjs": "JavaScript", ".ts": "TypeScript", ".tsx": "TypeScript", ".rs": "Rust", ".go": "Go", ".java": "Java",
    ".kt": "Kotlin", ".c": "C", ".h": "C", ".cc": "C++", ".cpp": "C++", ".hpp": "C++", ".cs": "C#", ".rb": "Ruby",
    ".php": "PHP", ".swift": "Swift", ".scala": "Scala", ".sh": "Shell", ".bash": "Shell", ".sql": "SQL",
    ".html": "HTML", ".css": "CSS", ".lua": "Lua", ".ex": "Elixir", ".exs": "Elixir", ".erl": "Erlang",
    ".hs": "Haskell", ".ml": "OCaml", ".zig": "Zig", ".dart": "Dart", ".r": "R", ".jl": "Julia", ".pl": "Perl",
}  # fmt: skip


def languages_of(paths: Iterable[str]) -> list[str]:
    """Return the languages of the files, most frequent first. Files with an unknown suffix are ignored."""
    suffixes = (PurePosixPath(path).suffix.lower() for path in paths)
    counted = Counter(_BY_SUFFIX[suffix] for suffix in suffixes if suffix in _BY_SUFFIX)
    return [language for language, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]
