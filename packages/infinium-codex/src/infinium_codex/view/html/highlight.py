"""Colours source code. Pygments finds the tokens; a few classes of tokens have a colour."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import PurePosixPath

from markupsafe import Markup
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType
from pygments.util import ClassNotFound

_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (Keyword, "k"),
    (String, "s"),
    (Number, "m"),
    (Name.Function, "n"),
    (Name.Class, "n"),
    (Name.Tag, "n"),
    (Name.Builtin, "b"),
    (Name.Decorator, "b"),
    (Name.Attribute, "b"),
    (Name.Variable, "v"),
)
_LANGUAGES = {
    ".bash": "bash", ".c": "c", ".cc": "cpp", ".cpp": "cpp", ".cs": "csharp", ".css": "css", ".dart": "dart",
    ".ex": "elixir", ".go": "go", ".h": "c", ".hpp": "cpp", ".hs": "haskell", ".html": "html", ".ini": "ini",
    ".java": "java", ".js": "javascript", ".json": "json", ".jsx": "jsx", ".kt": "kotlin", ".lua": "lua",
    ".mjs": "javascript", ".php": "php", ".pl": "perl", ".ps1": "powershell", ".py": "python", ".pyi": "python",
    ".rb": "ruby", ".rs": "rust", ".scala": "scala", ".scss": "scss", ".sh": "bash", ".sql": "sql", ".svelte": "html",
    ".swift": "swift", ".toml": "toml", ".ts": "typescript", ".tsx": "tsx", ".vue": "html", ".xml": "xml",
    ".yaml": "yaml", ".yml": "yaml", ".zsh": "bash",
}  # fmt: skip
_FILES = {"Dockerfile": "docker", "Makefile": "make", "Rakefile": "ruby", "Gemfile": "ruby"}
_LONGEST = 40_000
"""Characters beyond which a text gets no colours: a lexer's time may grow faster than the text."""


def code(text: str, language: str | None) -> Markup:
    """Return a text with its tokens in `<i class=…>`; without colours for an unknown language."""
    lexer = _lexer(language) if language and len(text) <= _LONGEST else None
    if lexer is None:
        return Markup.escape(text)
    return Markup().join(_marked(_classified(lexer, text)))


def lines_of_code(lines: list[str], language: str | None) -> list[Markup]:
    """Return the same for lines that follow one another in a file."""
    text = "\n".join(lines)
    lexer = _lexer(language) if language and len(text) <= _LONGEST else None
    if lexer is None:
        return [Markup.escape(line) for line in lines]
    found: list[list[tuple[str, str]]] = [[]]
    for kind, value in _classified(lexer, text):
        first, *others = value.split("\n")
        found[-1].append((kind, first))
        found += [[(kind, part)] for part in others]
    return [Markup().join(_marked(line)) for line in found[: len(lines)]]


def language_of(path: str) -> str | None:
    """Return the language of a file by its name; None if it is unknown."""
    name = PurePosixPath(path).name
    return _FILES.get(name) or _LANGUAGES.get(PurePosixPath(name).suffix.lower())


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def _class(kind: _TokenType) -> str:
    return next((name for wanted, name in _CLASSES if _is_kind_of(kind, wanted)), "")


def _is_kind_of(kind: _TokenType, wanted: _TokenType) -> bool:
    """Return whether a type of token is the wanted one or belongs to it."""
    return kind[: len(wanted)] == wanted


def _classified(lexer: Lexer, text: str) -> Iterable[tuple[str, str]]:
    """Yield class and text of each token. Line breaks are as in the text."""
    return ((_class(kind), value) for kind, value in lexer.get_tokens(text))


def _marked(tokens: Iterable[tuple[str, str]]) -> Iterator[Markup]:
    for kind, group in groupby(tokens, key=lambda token: token[0]):
        escaped = Markup.escape("".join(value for _, value in group))
        yield Markup("<i class={}>{}</i>").format(kind, escaped) if kind and escaped else escaped
