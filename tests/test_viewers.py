"""What the measurement of a hundred viewers says is of a door that is looked at, and of one that isn't."""

import viewers


def test_each_round_gives_a_ratio_of_both_times() -> None:
    ratios = viewers.measure(rounds=3, seconds=0.1)
    assert sorted(ratios) == ["cpu", "wall"]
    assert [len(found) for found in ratios.values()] == [3, 3]
    assert all(ratio > 0 for found in ratios.values() for ratio in found)
