"""Finds records of the spool that tell of an event a second time."""

from infinium_codex.capture.records import Record


class Copies:
    """Finds second records of an event: call `is_copy` once for each record, in their order.

    A hook writes its record twice if the spool is removed in this moment. And where hooks are registered both in the
    project and for all projects of the user, each event has a record of either kind. Then the n-th of equal records of
    one kind and the n-th of the other belong together: an event that occurs twice with the same content, such as a
    second compaction in a turn, counts twice.
    """

    def __init__(self) -> None:
        self._identities: set[str] = set()
        self._counts: dict[tuple[str, int], list[int]] = {}

    def is_copy(self, record: Record) -> bool:
        """Whether an earlier record tells of this event."""
        if record.identity in self._identities:
            return True
        self._identities.add(record.identity)
        counts = self._counts.setdefault((record.event, hash(record.payload)), [0, 0])
        counts[record.for_user] += 1
        return counts[record.for_user] <= counts[not record.for_user]
