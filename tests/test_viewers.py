"""What is measured of a hundred viewers, and of who can't be told, is of a door with them and of one without."""

from collections.abc import Callable

import pytest
import telling
import viewers


@pytest.mark.parametrize("measure", [viewers.measure, telling.measure])
def test_each_round_gives_a_ratio_of_both_times(measure: Callable[[int, float], dict[str, list[float]]]) -> None:
    ratios = measure(3, 0.1)
    assert sorted(ratios) == ["cpu", "wall"]
    assert [len(found) for found in ratios.values()] == [3, 3]
    assert all(ratio > 0 for found in ratios.values() for ratio in found)
