"""Renders the server's grade. Its shape is the server's: texts, numbers, lists and objects in one another."""

from markupsafe import Markup

from infinium_codex.view.excerpts import one_line

_DEEPEST = 5
_MOST = 60
"""Entries of a list or an object."""
_LONGEST = 2_000
"""Characters of a text."""


def grade_table(value: object, depth: int = 0) -> Markup:
    """Return a value as text, list or table. Values too deep inside one another are left out with a mark."""
    if depth > _DEEPEST:
        return Markup("⋯")
    if isinstance(value, dict):
        rows = (
            Markup("<tr><th>{}</th><td>{}</td></tr>").format(one_line(str(name), 80), grade_table(each, depth + 1))
            for name, each in list(value.items())[:_MOST]
        )
        return Markup("<table>{}</table>{}").format(Markup().join(rows), _more(len(value)))
    if isinstance(value, list):
        entries = (Markup("<li>{}</li>").format(grade_table(each, depth + 1)) for each in value[:_MOST])
        return Markup("<ul>{}</ul>{}").format(Markup().join(entries), _more(len(value)))
    if value is None:
        return Markup("–")
    if isinstance(value, bool):
        return Markup.escape("yes" if value else "no")
    text = str(value)
    return Markup.escape(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _more(count: int) -> Markup:
    return Markup('<p class="cut">{:,} more</p>').format(count - _MOST) if count > _MOST else Markup()
