"""Shows the server's grade of a trace. Its shape is the server's: a text, a number, a list or an object."""

import msgspec

_SCORE_NAMES = ("score", "grade", "rating", "overall_score", "overallScore")


def grade_in_words(grade: object) -> str:
    """Return a grade on one line: its score if it has one, else all of it."""
    if isinstance(grade, dict):
        found = next((grade[name] for name in _SCORE_NAMES if isinstance(grade.get(name), int | float | str)), None)
        grade = grade if found is None else found
    if isinstance(grade, str):
        return " ".join(grade.split())
    return msgspec.json.encode(grade, enc_hook=str).decode()
