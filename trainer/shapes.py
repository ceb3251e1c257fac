"""Makes the outlines of which people and things are drawn: rounded, symmetrical, oval or bent, in any unit."""

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]  # (n, 2): x, y; y downwards


def smooth(points: Points, times: int = 3) -> Points:
    """Round a closed shape's corners (Chaikin's corner cutting, so many times)."""
    for _ in range(times):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points


def mirror(half: list[tuple[float, float]]) -> Points:
    """Complete a shape from its right half, listed from top to bottom."""
    return np.array(half + [(-x, y) for x, y in reversed(half)])


def oval(x: float, y: float, across: float, down: float, turn: float = 0, corners: int = 40) -> Points:
    """Return an ellipse around (x, y) from its half axes, turned by `turn` radians, as a polygon."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    across_, down_ = across * np.cos(angle), down * np.sin(angle)
    return np.stack([x + across_ * np.cos(turn) - down_ * np.sin(turn),
                     y + across_ * np.sin(turn) + down_ * np.cos(turn)], axis=1)


def curve(points: list[tuple[float, float]]) -> Points:
    """Return a quadratic curve through three points."""
    start, through, end = np.asarray(points, np.float64)
    control = 2 * through - (start + end) / 2
    t = np.linspace(0, 1, 17)[:, None]
    return np.array((1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end)
