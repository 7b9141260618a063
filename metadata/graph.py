"""Order in a graph of keys, and where it goes in circles."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence


class CycleError(ValueError):
    """Keys that wait for each other; `path` starts and ends with the same key."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        super().__init__(" → ".join(self.path))


def ordered(keys: Sequence[str], upstream: Mapping[str, Collection[str]]) -> list[str]:
    """`keys` so that each comes after all of its upstream; otherwise as early as it was given.

    Upstream keys that are not among `keys` are left out of account. Raises CycleError.
    """
    position = {key: index for index, key in enumerate(keys)}
    missing = {key: sum(1 for other in upstream.get(key, ()) if other in position) for key in keys}
    downstream: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        for other in upstream.get(key, ()):
            downstream[other].append(key)
    ready = [index for key, index in position.items() if not missing[key]]
    heapq.heapify(ready)
    found: list[str] = []
    while ready:
        key = keys[heapq.heappop(ready)]
        found.append(key)
        for other in downstream[key]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, position[other])
    if len(found) < len(position):
        raise CycleError(_cycle([key for key in keys if missing[key]], upstream))
    return found


def _cycle(stuck: Sequence[str], upstream: Mapping[str, Collection[str]]) -> list[str]:
    """A circle, in the direction of the work, among keys that each wait for another of them."""
    among = set(stuck)
    key, seen, path = stuck[0], dict[str, int](), list[str]()
    while key not in seen:
        seen[key] = len(path)
        path.append(key)
        key = next(other for other in upstream[key] if other in among)
    circle = [*path[seen[key] :], key]
    return circle[::-1]
