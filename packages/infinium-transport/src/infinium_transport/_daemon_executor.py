"""Runs calls on one daemon thread, so that a call that hangs does not keep the process alive."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonExecutor:
    """An executor with one daemon thread, which starts with the first call.

    `concurrent.futures.ThreadPoolExecutor` waits for its threads when the process exits, which a server that never
    finishes its answer would delay for ever.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Run `call` after the calls submitted before it; the future holds what it returns or raises."""
        future: Future[T] = Future()
        self._calls.put((future, call))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="infinium-transport", daemon=True)
            self._thread.start()
        return future

    def shutdown(self) -> None:
        """End the thread after the calls submitted so far. Does not wait for it."""
        self._calls.put(None)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)
            del item, future, call  # keeps no response alive while the thread waits for the next call
