"""Joins photos that are linked to groups, however many links there are."""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Links = npt.NDArray[np.intp]  # (links, 2): numbers of two photos
MOST_LINKS = 1_000_000  # to join at once


class LinkedPhotos:
    """Photos and the groups that links have made of them; of links it keeps no more than it can join at once."""

    def __init__(self, count: int) -> None:
        self._first = np.arange(count)  # of each photo's group
        self._waiting: list[Links] = []
        self._links = 0  # in those

    def add(self, links: Links) -> None:
        """Take links, intp (links, 2)."""
        if len(links):
            self._waiting.append(links)
            self._links += len(links)
        if self._links > MOST_LINKS:
            self._join()

    def groups(self) -> npt.NDArray[np.intp]:
        """Return the group of each photo, intp (n,), numbered from 0 in the order of their first photos."""
        self._join()
        return np.asarray(np.unique(self._first, return_inverse=True)[1], np.intp)

    def _join(self) -> None:
        count = len(self._first)
        links = np.concatenate([*self._waiting, np.column_stack([np.arange(count), self._first])])
        graph = coo_matrix((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), shape=(count, count))
        labels = connected_components(graph, directed=False)[1]
        self._first = np.unique(labels, return_index=True)[1][labels]
        self._waiting, self._links = [], 0
