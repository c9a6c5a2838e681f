"""Collections that keep no more of a long session than fits into a payload."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from infinium_trace._format import Payload
from infinium_trace.fit import MAX_BODY_BYTES, size_of, without_previews
from infinium_trace.preview import preview_of_ends

T = TypeVar("T")


class HeadAndTail(Generic[T]):
    """The first and the last items of a sequence, each of at most `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._head: list[T] = []
        self._tail: deque[tuple[T, int]] = deque()
        self._head_bytes_left = self._tail_bytes_left = max_bytes

    def add(self, item: T, size: int) -> Iterator[T]:
        """Add an item. Yield the items that are removed from the middle to make room."""
        if not self._tail and size <= self._head_bytes_left:
            self._head_bytes_left -= size
            self._head.append(item)
            return
        self._tail.append((item, size))
        self._tail_bytes_left -= size
        while self._tail_bytes_left < 0:
            removed, removed_size = self._tail.popleft()
            self._tail_bytes_left += removed_size
            yield removed

    def halves(self) -> tuple[list[T], list[T]]:
        """Return the first and the last items."""
        return self._head, [item for item, _ in self._tail]


class BoundedSteps:
    """The steps of a payload. If `bounded`, steps in the middle lose their previews, then are dropped."""

    def __init__(self, *, bounded: bool) -> None:
        self.left_out = 0
        self._all: list[Payload] = []
        # `fit` removes previews from the middle outwards, so about half of what remains is at each end.
        self._whole: HeadAndTail[Payload] | None = HeadAndTail(MAX_BODY_BYTES * 3 // 4) if bounded else None
        self._without_previews: HeadAndTail[Payload] = HeadAndTail(MAX_BODY_BYTES // 2)

    def add(self, step: Payload) -> None:
        """Add a step."""
        if self._whole is None:
            self._all.append(step)
            return
        for removed in self._whole.add(step, size_of(step)):
            smaller = without_previews(removed)
            self.left_out += sum(1 for _ in self._without_previews.add(smaller, size_of(smaller)))

    def steps(self) -> list[Payload]:
        """Return the steps that were kept, in order."""
        if self._whole is None:
            return self._all
        first, last = self._whole.halves()
        after_first, before_last = self._without_previews.halves()
        return [*first, *after_first, *before_last, *last]


class BoundedErrors:
    """The errors of a payload; if `bounded`, the first and the last ones."""

    def __init__(self, *, bounded: bool) -> None:
        self.left_out = 0
        self._bounded = bounded
        self._kept: HeadAndTail[Payload] = HeadAndTail(MAX_BODY_BYTES // 4)

    def add(self, error: Payload) -> None:
        """Add an error."""
        self.left_out += sum(1 for _ in self._kept.add(error, size_of(error) if self._bounded else 0))

    def errors(self) -> list[Payload]:
        """Return the errors that were kept, in order."""
        first, last = self._kept.halves()
        return [*first, *last]


class BoundedText:
    """Texts joined by a separator, of which the first and the last `limit` characters are kept."""

    def __init__(self, separator: str, limit: int) -> None:
        self._separator, self._limit = separator, limit
        self._beginning = self._end = ""
        self._length = 0

    def add(self, text: str) -> None:
        """Append a text."""
        if self._length:
            text = self._separator + text
        self._length += len(text)
        self._beginning += text[: max(self._limit + 1 - len(self._beginning), 0)]
        self._end = (self._end + text[-self._limit - 1 :])[-self._limit - 1 :]

    @property
    def is_truncated(self) -> bool:
        """Whether the text is longer than the limit."""
        return self._length > self._limit

    def preview(self, *, tail: float = 0.0) -> str:
        """Return the whole text, or if it is too long a preview; `tail` is the share taken from the end."""
        if not self.is_truncated:
            return self._beginning
        return preview_of_ends(self._beginning, self._end, self._length, self._limit, tail=tail)
