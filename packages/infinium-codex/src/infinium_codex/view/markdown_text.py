"""Writes untrusted text as Markdown that stays where it is put: no HTML, no mention, no reference, no open fence.

A message of an agent keeps its structure. It is parsed, and written again from its parts, so that nothing of it is
copied unseen. On GitHub and GitLab a comment that names `@ada` notifies, and one that says `fixes #1` may close.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from infinium_codex.console.safe_text import safe

_MARKUP = re.compile(r"[\\`*_\[\]<>|~$]")
_AT_LINE_START = re.compile(r"^(\s*)([-+=#]|\d{1,9}[.)](?=\s|$))", re.MULTILINE)
_ENTITY = re.compile(r"&(?=[#\w])")
_MENTION = re.compile(r"([@#!%])(?=[\w/-])")
_REFERENCE = re.compile(r"\b(GH|gh)-(?=\d)")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.|mailto:)[^\s<>`|]+|[\w.+-]+@[\w-]+\.[\w.-]+", re.IGNORECASE)
_NOTHING = "\u200b"
"""A space without width: a mention with it in it is none."""


def plain(text: str) -> str:
    """Return a text whose characters have no meaning in Markdown. Addresses become code, which is no link."""
    parts: list[str] = []
    at = 0
    text = safe(text)
    for found in _ADDRESS.finditer(text):
        parts += _escaped(text[at : found.start()]), inline_code(found[0])
        at = found.end()
    return "".join((*parts, _escaped(text[at:])))


def inline_code(text: str) -> str:
    """Return a text as a code span on one line."""
    text = " ".join(safe(text).split()) or " "
    ticks = "`" * (_longest_run(text, "`") + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """Return a text as a code block that its content cannot end."""
    fence = "`" * max(_longest_run(text, "`") + 1, 3)
    return f"{fence}{language}\n{safe(text).rstrip(chr(10))}\n{fence}"


def quoted(text: str) -> str:
    """Return Markdown as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def message(text: str) -> str:
    """Return a Markdown message with its paragraphs, lists, tables and code. Links and images become words."""
    tree = SyntaxTreeNode(_parser().parse(safe(text)))
    return "\n\n".join(filter(None, (_block(node) for node in tree.children)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _escaped(text: str) -> str:
    text = _MARKUP.sub(r"\\\g<0>", _ENTITY.sub("&amp;", text))
    text = _AT_LINE_START.sub(_escaped_start, text)
    return _REFERENCE.sub(rf"\1{_NOTHING}-", _MENTION.sub(rf"\1{_NOTHING}", text))


def _escaped_start(found: re.Match[str]) -> str:
    """Escape what begins a list, a heading or an underline."""
    space, mark = found[1], found[2]
    return f"{space}{mark[:-1]}\\{mark[-1]}" if len(mark) > 1 else f"{space}\\{mark}"


def _longest_run(text: str, character: str) -> int:
    return max((len(run) for run in re.findall(f"{character}+", text)), default=0)


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph":
            return _inline(node.children[0].children) if node.children else ""
        case "heading":
            words = _one_line(_inline(node.children[0].children)) if node.children else ""
            return words if "**" in words or not words else f"**{words}**"
        case "fence":
            return fenced(node.content, re.sub(r"[^\w+-]", "", node.info.split(" ")[0]))
        case "code_block":
            return fenced(node.content)
        case "blockquote":
            return quoted(_blocks(node))
        case "bullet_list":
            return "\n".join(_item("- ", child) for child in node.children)
        case "ordered_list":
            first = int(node.attrs.get("start", 1))
            return "\n".join(_item(f"{first + number}. ", child) for number, child in enumerate(node.children))
        case "table":
            return "\n".join(_table(node))
        case "hr":
            return "---"
        case _:
            return plain(node.content or "")


def _blocks(node: SyntaxTreeNode) -> str:
    return "\n\n".join(filter(None, (_block(child) for child in node.children)))


def _item(mark: str, node: SyntaxTreeNode) -> str:
    is_tight = all(child.type in ("paragraph", "bullet_list", "ordered_list") for child in node.children)
    separator = "\n" if is_tight else "\n\n"
    content = separator.join(filter(None, (_block(child) for child in node.children)))
    first, *others = content.split("\n")
    return "\n".join([f"{mark}{first}", *(f"{' ' * len(mark)}{line}".rstrip() for line in others)])


def _table(node: SyntaxTreeNode) -> Iterator[str]:
    rows = [row for part in node.children for row in part.children]
    for number, row in enumerate(rows):
        cells = [_cell(cell) for cell in row.children]
        yield f"| {' | '.join(cells)} |"
        if number == 0:
            yield f"|{' --- |' * len(cells)}"


def _cell(node: SyntaxTreeNode) -> str:
    text = _one_line(_inline(node.children[0].children)) if node.children else ""
    return re.sub(r"(?<!\\)\|", r"\\|", text)  # a pipe ends a cell, also in code


def _inline(nodes: Sequence[SyntaxTreeNode]) -> str:
    return "".join(_span(node) for node in nodes)


def _span(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            return plain(node.content)
        case "code_inline":
            return inline_code(node.content)
        case "softbreak":
            return "\n"
        case "hardbreak":
            return "\\\n"
        case "strong" | "em" | "s":
            mark = {"strong": "**", "em": "*", "s": "~~"}[node.type]
            return f"{mark}{_inline(node.children)}{mark}"
        case "link":
            words, target = _inline(node.children), str(node.attrs.get("href", ""))
            shown = target.startswith(("http://", "https://")) and inline_code(target) != words
            return f"{words} ({inline_code(target)})" if shown else words
        case "image":
            return f"(image: {plain(node.content)})" if node.content else "(image)"
        case "inline":
            return _inline(node.children)
        case _:
            return plain(node.content or "")


def _one_line(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())
