"""The last few things that were read, so that the next question about the same does not read them again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """Remembers the `most` last used; what is not remembered is made, one at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """What is remembered under this key, or what `make` gives.

        >>> kept = Kept(2)
        >>> [kept.get(key, lambda key=key: print("made", key) or key) for key in "abac"]
        made a
        made b
        made c
        ['a', 'b', 'a', 'c']
        """
        with self._lock:
            if key not in self._values:
                self._values[key] = make()
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
            self._values.move_to_end(key)
            return self._values[key]
