"""Parts of a long reading, several at a time: it says how far it is, and is called off as a whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from connectors.progress import reached

Job = TypeVar("Job")
Read = TypeVar("Read")
Went = Callable[[int], None]
"""Is told how many bytes more are read; raises `InterruptedError` once the reading is called off."""

LOOK_EVERY_S = 0.25


def read_at_once(jobs: Iterable[Job], read: Callable[[Job, Went], Read], *, readers: int, total: int) -> list[Read]:
    """What `read` makes of each job, in the order in which they are done. `total`: bytes of all jobs together.

    Raises what a job raises, or `Cancelled` where the question is called off; what is under way ends at its next piece.

    >>> sorted(read_at_once([3, 4], lambda size, went: went(size) or size * 2, readers=2, total=7))
    [6, 8]
    """
    done, off, lock = 0, threading.Event(), threading.Lock()

    def went(size: int) -> None:
        nonlocal done
        if off.is_set():
            raise InterruptedError
        with lock:
            done += size

    found: list[Read] = []
    with ThreadPoolExecutor(readers) as pool:
        running = {pool.submit(read, job, went) for job in jobs}
        try:
            while running:
                try:
                    for job in as_completed(list(running), timeout=LOOK_EVERY_S):
                        running.discard(job)
                        found.append(job.result())
                except TimeoutError:
                    pass
                reached(done / max(total, 1))
        except BaseException:
            off.set()
            raise
    return found
