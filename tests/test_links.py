"""Links make groups, however many there are and in whichever order they come."""

import numpy as np
import pytest

from trainer import links
from trainer.links import LinkedPhotos


@pytest.mark.parametrize("at_once", [0, 3, 1000])
def test_linked_photos_are_a_group_whatever_is_joined_at_once(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_LINKS", at_once)
    photos = LinkedPhotos(8)
    for pairs in ([(6, 2)], [], [(1, 7), (7, 1)], [(2, 4)], [(5, 5)], [(4, 6), (3, 7)]):
        photos.add(np.array(pairs, np.intp).reshape(-1, 2))
    assert photos.groups().tolist() == [0, 1, 2, 1, 2, 3, 2, 1]
