"""Renders the Markdown of a message. Its HTML is shown as text, links and images are shown as words."""

from collections.abc import Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from infinium_codex.view.html.highlight import code

_HEADINGS_ABOVE = 3
"""Levels of headings that the page uses itself."""


def prose(text: str) -> Markup:
    """Return a message as HTML without a reference: no link, no image, no element of its own."""
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + _HEADINGS_ABOVE, 6)}"
        elif token.type in ("td_open", "th_open"):
            token.attrs = {}  # the alignment of a column is an inline style
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - html is off: every text is escaped


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])


class _Renderer(RendererHTML):
    """Renders the tokens that would refer to something outside of the page. markdown-it calls a method by its name."""

    def link_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return ""

    def link_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Return the address of a link as text, where its words do not name it."""
        opening = next(index for index in range(at - 1, -1, -1) if tokens[index].type == "link_open")
        target = str(tokens[opening].attrs.get("href", ""))
        words = "".join(token.content for token in tokens[opening + 1 : at])
        if not target.startswith(("http://", "https://")) or target.rstrip("/") == words.rstrip("/"):
            return ""
        return str(Markup(" <small>({})</small>").format(target))

    def image(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return str(Markup("<small>[image: {}]</small>").format(tokens[at].content or "no description"))

    def fence(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        words = tokens[at].info.split()
        return str(Markup("<pre><code>{}</code></pre>\n").format(code(tokens[at].content, words[0] if words else None)))
