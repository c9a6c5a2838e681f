"""What is kept of a long row while it is still growing: no more than a payload can show."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from infinium_trace._shown import Payload
from infinium_trace.fit import MAX_BODY_BYTES, size_of, without_previews
from infinium_trace.preview import preview

T = TypeVar("T")


class Ends(Generic[T]):
    """The beginning and the end of a row, each of at most `room` bytes."""

    def __init__(self, room: int) -> None:
        self._first: list[T] = []
        self._last: deque[tuple[T, int]] = deque()
        self._room_first = self._room_last = room

    def add(self, item: T, size: int) -> Iterator[T]:
        """Take in one more; gives what falls out of the middle."""
        if not self._last and size <= self._room_first:
            self._room_first -= size
            self._first.append(item)
            return
        self._last.append((item, size))
        self._room_last -= size
        while self._room_last < 0:
            fallen, its_size = self._last.popleft()
            self._room_last += its_size
            yield fallen

    def halves(self) -> tuple[list[T], list[T]]:
        """The beginning, and the end."""
        return self._first, [item for item, _ in self._last]


class KeptSteps:
    """The steps of a payload; of a summary's so many whole at both ends, and so many more without their previews."""

    def __init__(self, *, bounded: bool) -> None:
        self.left_out = 0
        self._all: list[Payload] = []
        # The fit takes previews from the middle outwards: of what remains about half stands at each end.
        self._whole: Ends[Payload] | None = Ends(MAX_BODY_BYTES * 3 // 4) if bounded else None
        self._light: Ends[Payload] = Ends(MAX_BODY_BYTES // 2)

    def add(self, step: Payload) -> None:
        """Take in one more."""
        if self._whole is None:
            self._all.append(step)
            return
        for fallen in self._whole.add(step, size_of(step)):
            light = without_previews(fallen)
            self.left_out += sum(1 for _ in self._light.add(light, size_of(light)))

    def steps(self) -> list[Payload]:
        """Those that were kept, in order."""
        if self._whole is None:
            return self._all
        (first, last), (after_first, before_last) = self._whole.halves(), self._light.halves()
        return [*first, *after_first, *before_last, *last]


class KeptErrors:
    """The errors of a payload; of a summary's the first and the last ones."""

    def __init__(self, *, bounded: bool) -> None:
        self.left_out = 0
        self._bounded = bounded
        self._ends: Ends[Payload] = Ends(MAX_BODY_BYTES // 4)

    def add(self, error: Payload) -> None:
        """Take in one more."""
        self.left_out += sum(1 for _ in self._ends.add(error, size_of(error) if self._bounded else 0))

    def errors(self) -> list[Payload]:
        """Those that were kept, in order."""
        first, last = self._ends.halves()
        return [*first, *last]


class KeptText:
    """Texts put together, of which the first `limit` characters are shown."""

    def __init__(self, between: str, limit: int) -> None:
        self._between, self._limit = between, limit
        self._text = ""
        self._length = 0

    def add(self, text: str) -> None:
        """Put one more behind the others."""
        if self._length:
            text = self._between + text
        self._length += len(text)
        self._text += text[: max(self._limit + 1 - len(self._text), 0)]

    @property
    def is_cut(self) -> bool:
        return self._length > self._limit

    def shown(self, cut_at: int | None = None) -> str:
        """All of it, or a preview of `cut_at` characters, `limit` if not told."""
        if not self.is_cut:
            return self._text
        return preview(self._text, self._limit if cut_at is None else cut_at, length=self._length)
