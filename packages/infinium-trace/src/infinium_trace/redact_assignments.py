"""Finds secrets that a text assigns to a name: `NAME = value` in code, shells, headers, YAML, JSON, XML and tables."""

import re
from collections.abc import Iterator
from functools import cache

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_commands import NAMES as COMMAND_NAMES
from infinium_trace.redact_commands import named_commands
from infinium_trace.redact_foreign import foreign_passwords_between, is_foreign_word
from infinium_trace.redact_names import Certainty, certainty, kind_of_name
from infinium_trace.redact_rules import NAMED_CALLS
from infinium_trace.redact_spans import Rank, Span, compiled, line_around
from infinium_trace.redact_values import (
    has_capital_and_number,
    has_inner_capital,
    header_is_secret,
    is_argument,
    is_assigned_secret,
    is_environment_secret,
    is_harmless,
    is_identifier,
    is_mixed,
    is_passphrase,
    is_strict_secret,
    is_word,
)

_PARTS = (
    b"pass", b"key", b"secr", b"tok", b"cred", b"cookie", b"bearer", b"authorization", b"pw", b"pat", b"psk", b"psw",
    b"kennwort", b"wachtwoord", b"contras", b"senha", b"slo", b"sifre", b"parol", b"losenord", b"sandi",
    b"khau", b"geheim", b"mdp", b"clave", b"chave", b"chiave", b"jeton", b"segre", b"sekret", b"klucz",
    b"sleutel", b"luessel", b"anahtar",
)  # fmt: skip
_LETTERS_BEFORE = {b"slo": b"ae"}
"""Letters of which one stands before a part: one search finds both `haslo` and `heslo`."""
_SHORT = frozenset((b"pw", b"pat", b"tok", b"psw", b"psk"))
"""Parts that denote a secret only at the end of a word."""
_FEW_PARTS = 3
_NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
_REST_OF_NAME = lazy_pattern(r"[A-Za-z0-9_.-]{0,64}+")
_MAX_QUOTED = 4096
_LONG_VALUE = 256

NOTATION = (
    # the end of the name's string, subscript or emphasis
    r"(?P<closers>[\"'`\\\])}*\[]{0,6}+)(?P<gap>[ \t]{0,40}+)"
    # what stands between name and value
    r"(?:(?P<pair>(?:\\n|[,\s]){0,40}+[\"'\\]{0,4}(?i:value)[\"'\\]{0,4}+[ ]?[:=][ \t]{0,8}+"
    r"|(?:</[\w:.-]{1,20}+>|(?:\w{1,20}+=\"[^\"\n]{0,40}+\"[ ]?){0,3}+>)\s{0,40}+<(?:[A-Za-z]{5,6}+)>)"
    r"|(?P<block>\{\s{0,20}+(?:type[ =\t]{1,9}+[a-z]{1,9}+\s{1,20}+)?default\s{0,9}+=[ ]?)"
    r"|(?P<property>\{[ ]get;[ ](?:set|init);[ ]\}[ ]=[ ])"
    r"|(?P<call>,\s{0,8}+)|(?P<invoke>\()|(?P<fallback>(?:\|\||\?\?|or)[ ]{1,4}+)"
    r"|(?P<cell>\|[ \t]{0,40}+)|(?P<dots>\.{2,40}+:[ \t]{0,8}+)|(?P<default>:[-=?])"
    r"|(?P<tie>=>|:=|\?=|\+=|:[ ]?&?[A-Za-z][\w.<>]{0,24}+[ ]?=(?![=>~])|[A-Za-z][\w.]{0,24}+[ ]=(?=[ ])"
    r"|={1,3}(?![=>~])|:(?![:=]))"
    r"[ \t]{0,24}+(?:[>|][+-]?\s{1,40}+)?"
    r"|(?P<tag>>)|(?P<flag>(?<=[ \t])))"
    r"(?:<!\[CDATA\[)?"
    # the value, in quotes or bare
    r"(?:[rbufRBUF@$]{0,2}(?P<esc>\\{0,3})(?P<quote>[\"'`])(?P<quoted>[^\"'`\r\n\\]{1,4096}+)"
    r"|(?P<bare>[^\s\"'`,;<>(){}\[\]\\|]{1,4096}+))"
)
"""Everything from the end of a name to the end of its value."""

SENTENCE = (
    r"[\"'`*]{0,3}+(?:[^\n:=,;!?]{0,64}?[ \t](?i:is|to|was|be|as|es|ist|lautet|est|adalah|e|è|é|use)[ \t:]{1,3}+"
    r"[\"'`]?|[ \t](?:[^\n:=,;!?`]{0,64}?(?=[\"']))?[\"']?)(?P<value>[^\s\"'`,;<>()]{6,256}+)"
)
"""A sentence that gives a password away: `the password for slack is …`."""

_ENVIRONMENT = lazy_pattern(
    r"(?:\A|[\n\"'`;&|]|\\n|\b(?:export|ENV|ARG|RUN|set|setx|env|readonly|declare|config:set|secrets set)[ ]|-x "
    r"|Environment=|(?:-e|--env|--build-arg|--set|-var|app|arg)[ =]|[ ])[ \t]{0,8}[\"'+-]{0,2}\Z"
)
_SPACE_ASSIGNS = lazy_pattern(
    r"(?:(?:#[ ]?define|\b(?:ENV|ARG|setenv|setx|set -\w{1,4}|set-env \S{1,40}|env add|config set|configure set"
    r"|(?:login|connect) \S{1,64}(?: /)?(?: client| access| api)?)|\A|\n)[ \t]{1,4}|config set \S{1,80}:)\Z"
)
_SECTION = r"(?:\A|\n)\[[\w .:\"/-]{1,64}\][ \t]{0,8}\n"
"""The head of a section of an INI file, where `name = word` is no code."""
_SQL_USER = r"(?i:\b(?:create|alter)[ ](?:user|role|login|server)\b)[^;\n]{0,200}\Z"
_LABEL = (
    r"(?:\A|\n)(?!(?:private|public|protected|readonly|static|const|let|var|val|def)[ ])"
    r"[A-Za-z]{2,20}(?:[ ][a-z]{2,20}){0,3}[ ]\Z"
)
"""Words at the start of a line, before a name: a label and no code."""
_CALLEE = lazy_pattern(
    r"(?i:env|put|set\w{0,40}|get\w{0,40}|define|fetch|variable|property|values ?|default)\([ ]?[\"'`\\]{1,3}\Z"
)
_PREVIOUS_WORD = lazy_pattern(
    r"(?i:api|access|secret|private|license|encryption|signing|auth|client|master|account)[ ]\Z"
)


def assignments(text: str, low: bytes) -> Iterator[Span]:
    """Return the secrets that the text assigns to a name."""
    done = line_end = 0
    for at in sorted(_hits(text, low)):
        if at < done:
            continue
        begin, end = _name_around(text, at)
        name = text[begin:end]
        done = end
        foreign = is_foreign_word(name) or (name == "token" and text.startswith(" d", end))  # `token de acceso`
        if begin >= line_end and (foreign or name in COMMAND_NAMES):
            line_start, line_end = line_around(text, begin)  # once for each line, so that the work is linear
            yield from named_commands(text, line_start, line_end)
            yield from foreign_passwords_between(text, line_start, line_end)
        if text.startswith("(", end):
            yield from _named_call(text, name, end)
        if _is_part_of_a_path(text, begin, end):
            continue
        if certainty(name) is Certainty.NONE:
            before = _PREVIOUS_WORD.search(text, max(0, begin - 12), begin) if name.lower() == "key" else None
            if before is None:
                continue
            name = text[before.start() : end]
        match = compiled(NOTATION).match(text, end)
        if match is not None:
            start, stop, secret = _value(text, match, name, begin)
            if secret:
                yield Span(start, stop, Rank.ASSIGNMENT, kind_of_name(name))
            # Skip a long value even if it is no secret: else each of many names in a row would read it again.
            if secret or (stop - start > _LONG_VALUE and match["quoted"] is None):
                done = stop
            if secret:
                continue
        sentence = compiled(SENTENCE).match(text, end)
        if sentence is not None and certainty(name) is not Certainty.WEAK:
            phrase = _quoted_phrase(text, sentence.start("value"))
            if phrase is not None:
                done = phrase
                yield Span(sentence.start("value"), phrase, Rank.ASSIGNMENT, kind_of_name(name))
                continue
            value = sentence["value"].rstrip(".:!?")
            if is_mixed(value) and not is_harmless(name, value):
                done = sentence.end()
                yield Span(
                    sentence.start("value"), sentence.start("value") + len(value), Rank.ASSIGNMENT, kind_of_name(name)
                )


def _named_call(text: str, name: str, end: int) -> Iterator[Span]:
    """Return the secret that is an argument of the function with this name, if the function is known."""
    pattern = NAMED_CALLS.get(name.rpartition(".")[2].lower())
    match = compiled(pattern).match(text, end) if pattern else None
    if match is not None and is_argument(match[1]):
        yield Span(*match.span(1), Rank.ANCHORED, "password")


def _quoted_phrase(text: str, start: int) -> int | None:
    """Return where the quoted passphrase ends that starts here, if there is one."""
    quote = text[start - 1]
    end = text.find(quote, start, start + 200) if quote in "\"'`" else -1
    return end if end > start and " " in text[start:end] and is_passphrase(text[start:end]) else None


def _is_part_of_a_path(text: str, begin: int, end: int) -> bool:
    """Return whether the name is part of a name with colons (`AWS::IAM::AccessKey`, `arn:…:secret:name`)."""
    return text[max(0, begin - 2) : begin] == "::" or (text[begin - 1 : begin] == ":" and text[end : end + 1] == ":")


def _hits(text: str, low: bytes) -> Iterator[int]:
    """Return the places of all parts of names.

    One search for each part is faster than one pattern for all, which would be tried at every character. A pattern for
    the parts with one first letter is faster still, if there are several: it is tried at that letter alone.
    """
    alone, patterns = _part_searches()
    for pattern in patterns:
        for hit in pattern.finditer(low):
            if _is_part(text, low, hit.start(), hit[0]):
                yield hit.start()
    for part in alone:
        at = low.find(part)
        while at >= 0:
            if _is_part(text, low, at, part):
                yield at
            at = low.find(part, at + len(part))


@cache
def _part_searches() -> tuple[list[bytes], list[re.Pattern[bytes]]]:
    """Return the parts to search for alone, and a pattern for each first letter that several parts have."""
    by_letter: dict[bytes, list[bytes]] = {}
    for part in _PARTS:
        by_letter.setdefault(part[:1], []).append(part)
    alone = [part for parts in by_letter.values() if len(parts) < _FEW_PARTS for part in parts]
    groups = [(letter, parts) for letter, parts in by_letter.items() if len(parts) >= _FEW_PARTS]
    return alone, [
        re.compile(letter + b"(?:" + b"|".join(part[1:] for part in parts) + b")") for letter, parts in groups
    ]


def _is_part(text: str, low: bytes, at: int, part: bytes) -> bool:
    """Return whether the letters around the part allow it there."""
    end = at + len(part)
    before = _LETTERS_BEFORE.get(part)
    if before and (at == 0 or low[at - 1] not in before):
        return False
    return part not in _SHORT or not text[end : end + 1].islower() or low.startswith((b"en", b"d"), end)


def _name_around(text: str, at: int) -> tuple[int, int]:
    """Return where the name begins and ends that has a word at this place."""
    head = text[max(0, at - 64) : at]
    begin = at - len(head) + len(head.rstrip(_NAME_CHARACTERS))
    rest = _REST_OF_NAME.match(text, at)
    end = rest.end() if rest else at
    return begin, begin + len(text[begin:end].rstrip(".-"))


def _value(text: str, match: re.Match[str], name: str, begin: int) -> tuple[int, int, bool]:
    """Return start and end of the value that is assigned to a secret's name, and whether it is a secret."""
    quoted = match["quoted"] is not None
    start, end = match.span("quoted" if quoted else "bare")
    if name.lower().endswith(("authorization", "cookie")) and match["tie"]:
        if "=" in match["tie"].removeprefix("=") and match["tie"].startswith(":"):
            start = match.start("tie") + len(re.split(r"\w", match["tie"], maxsplit=1)[0])  # `Cookie: name=value`
        end = _line_end(text, start, match["quote"] if quoted else None)
        return start, end, header_is_secret(text[start:end])
    if quoted:
        end = _closing(text, start, end, match["esc"] + match["quote"])
        return start, end, _quoted_is_secret(text, match, name, begin, text[start:end])
    whole = _is_environment_line(text, match, name, begin)
    if not whole and text[end : end + 1] in ("(", "["):
        return start, end, False  # a call, a subscript
    end = _end_of_bare(text, start, end, whole=whole)
    value = text[start:end]
    if whole:
        return start, end, is_environment_secret(name, value)
    return start, end, _bare_is_secret(text, match, name, begin, value, text[end : end + 1])


def _quoted_is_secret(text: str, match: re.Match[str], name: str, begin: int, value: str) -> bool:
    """Return whether a quoted value is assigned to the name and is a secret."""
    if match["flag"] is not None and not text.startswith("-", begin):
        # SQL: PASSWORD 'value'. A command: ENV NAME "value".
        sql = match["quote"] == "'" and (
            name.isupper() or compiled(_SQL_USER).search(text, max(0, begin - 200), begin) is not None
        )
        if match["closers"] or not (sql or _assigns_with_space(text, name, begin)):
            return False
    if match["call"]:
        if not match["closers"].strip("])}*["):
            return False
        return _CALLEE.search(text, max(0, begin - 48), begin) is not None and is_assigned_secret(
            name, value, quoted=True
        )
    if match["invoke"] and not name.rpartition(".")[2].lower().startswith(("set", "with")):
        return False
    if (match["cell"] and not _is_cell(text, begin)) or (match["fallback"] and "`" in match["closers"]):
        return False  # alternatives of a pattern or a type; names in a comment
    if match["tag"] and text[begin - 1 : begin] not in ('"', "'", "`"):
        return False
    if match["pair"] and "=" in match["pair"] and not match["closers"]:
        return False  # the arguments of a call: `token, value="…"`
    if match["default"] and text[begin - 1 : begin] != "{":
        return False
    return is_assigned_secret(name, value, quoted=True)


def _bare_is_secret(text: str, match: re.Match[str], name: str, begin: int, value: str, following: str) -> bool:
    """Return whether an unquoted value is assigned to the name and is a secret, and not code."""
    if match["pair"] and "=" in match["pair"] and not match["closers"]:
        return False  # the arguments of a call: `token, value=…`
    if match["call"] or match["invoke"] or match["fallback"] or match["block"] or match["property"]:
        return False
    if not is_assigned_secret(name, value, quoted=False):
        return False
    before = text[begin - 1 : begin]
    if before == "{" and following == "}":
        return False  # a format: `{token:056d}`
    if match["tag"]:  # `<token>value</token>`, `<entry key="token">value</entry>`
        return (before in ("<", ":") or bool(match["closers"])) and text.startswith(("</", "]]>"), match.end())
    if match["flag"] is not None:
        if text.startswith("-", begin):  # `--token value`, but not `--token VALUE` of a usage text
            usage = value.isupper() and is_word(value)
            return not match["closers"] and not usage and (not value.startswith("-") or is_strict_secret(value))
        return not match["closers"] and _assigns_with_space(text, name, begin)
    if match["default"]:
        return text[max(0, begin - 2) : begin] == "${"
    if match["cell"] and not _is_cell(text, begin):
        return False  # an alternative in a pattern or a type
    if match["cell"] and text[match.end() : match.end() + 64].lstrip(" \t`")[:1] not in ("|", ""):
        return False  # a sentence in a table
    if match["cell"] or match["dots"]:
        return not is_word(value) or (
            certainty(name) is Certainty.SURE and "_" in name + "_" * (match["dots"] is not None)
        )
    if not is_identifier(value) and not is_word(value):
        return True
    return certainty(name) is Certainty.SURE and _is_word_of_a_setting(text, match, name, begin, value, following)


def _is_word_of_a_setting(text: str, match: re.Match[str], name: str, begin: int, value: str, following: str) -> bool:
    """Return whether an unquoted word is the value of a setting (`password=walnut`, `password: walnut`)."""
    before = text[begin - 1 : begin]
    if text.startswith("--", begin) or before in ("?", "&", "[") or text[max(0, begin - 2) : begin] == "${":
        return True
    if match["tie"] == "=" and not match["gap"] and match.start("bare") == match.end("tie"):
        listed = following == ";" and before == ";"  # a connection string
        return listed or (following in ("", "\n", "\r", " ", '"', "'", "&") and value.count(".") != 1)
    if (
        before in ("'", '"')
        and following in ("'", '"')
        and match["tie"] == ":"
        and text[match.start("bare") - 1] == " "
    ):
        return True  # a header: -H 'name: value'
    alone = following in ("", "\n", "\r") or text.startswith(" #", match.end())
    starts_line = not text[max(0, begin - 80) : begin].rpartition("\n")[2].strip(" \t+->*[")
    if match["tie"].startswith(":") and alone and compiled(_LABEL).search(text, max(0, begin - 80), begin):
        return has_inner_capital(value) and value[0].islower()  # `Initial password: walnutFerry`
    if not alone or not starts_line:
        return False
    if match["tie"] == "=":
        return "-" in value or "-" in name or compiled(_SECTION).search(text, max(0, begin - 400), begin) is not None
    if match["tie"] == "+=":
        return False
    if "-" in name or name.isupper() or ">" in match["tie"] or "|" in match["tie"]:
        return True  # no name of code, or a block of text
    words = value.islower() and value.count("_") != 1 and value.count(".") != 1
    return words or "-" in value or value.count(".") > 2 or _has_capital_and_digit(value)


def _has_capital_and_digit(value: str) -> bool:
    """Return whether a value looks like a password that is made of words (`Walnut7`, `Walnut_ferry7`)."""
    in_words = value[0].isupper() and not value.isupper() and "_" in value and value[-1].isdigit()
    return in_words or has_capital_and_number(value)


def _is_cell(text: str, begin: int) -> bool:
    """Return whether the name here is the cell of a table, with the value in the next cell."""
    return text[max(0, begin - 16) : begin].rstrip("` \t*")[-1:] == "|" and text[begin - 1] in "` *"


def _assigns_with_space(text: str, name: str, begin: int) -> bool:
    """Return whether a space assigns: `ENV NAME value`, `login dev password value`, `a.b value`."""
    found = _SPACE_ASSIGNS.search(text, max(0, begin - 80), begin)
    if found is None:
        return begin == 0 or text[begin - 1] == "\n" if name.count(".") else False
    return bool(found[0].strip()) or name in ("password", "passwd")


def _is_environment_line(text: str, match: re.Match[str], name: str, begin: int) -> bool:
    """Return whether the value is that of an environment variable: `NAME=value`, or a pair of name and value."""
    if match["pair"]:
        return match["pair"][:2] == "</" or ":" in match["pair"] or bool(match["closers"])
    plain = match["tie"] == "=" and not match["gap"] and name.isupper() and match.start("bare") == match.end("tie")
    return plain and _ENVIRONMENT.search(text, max(0, begin - 24), begin) is not None


def _end_of_bare(text: str, start: int, end: int, *, whole: bool) -> int:
    """Return where an unquoted value ends, without the punctuation behind it."""
    if whole:
        rest = compiled(r"[^\s\"'`\\]*+").match(text, end)
        value = text[start : rest.end() if rest else end]
    else:
        value, _, parameter = text[start:end].partition("&")
        if parameter and "=" not in parameter and text[end : end + 1] in ("'", '"', "]"):
            value = text[start:end]  # no further parameter of a query
    return start + len(value.rstrip(".:"))


def _closing(text: str, start: int, end: int, closer: str) -> int:
    """Return where a quoted value ends: at its own kind of quote that is not escaped."""
    at = text.find(closer, end, start + _MAX_QUOTED)
    while at >= 0 and text[at - 1] == "\\":
        at = text.find(closer, at + len(closer), start + _MAX_QUOTED)
    return at if at >= 0 and "\n" not in text[end:at] else end


def _line_end(text: str, start: int, quote: str | None) -> int:
    """Return where a header's value ends: at the end of its line, or of the string that contains the line."""
    stops = rf"[^\r\n\\{quote}]" if quote else r"[^\r\n\\\"'`]"
    match = compiled(stops + r"{0,4096}+").match(text, start)
    return match.end() if match else start
