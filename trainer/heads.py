"""Turns a person described by numbers into the relief of a bare head and shoulders."""

import numpy as np

from trainer.drawn_person import Person
from trainer.relief import CANVAS, MIDDLE, Colour, Relief, bgr
from trainer.shapes import Points, curve, mirror, oval, smooth

CROWN, HAIRLINE, BROW, EYE, NOSE, MOUTH, CHIN = -122.0, -92.0, -32.0, -12.0, 36.0, 62.0, 102.0  # y, px


def draw_behind(relief: Relief, person: Person, headwear: str, clothes: Colour, cloth: Colour) -> None:
    """Draw what the head stands before: long hair or a hood, neck, shoulders."""
    half, rng = person.half_width, relief.rng
    grown = {"bob": 26.0, "long": 30.0, "curly": 34.0}.get(person.haircut)
    if headwear in ("hood", "headscarf"):
        relief.fill([relief.at(oval(0, 0, half + 8, 118))], cloth * 0.45, soft=2)
    elif grown:
        low = {"bob": 92.0, "long": 210.0, "curly": 40.0}[person.haircut]
        back = mirror([(0, CROWN - 16), (half * 0.8, CROWN), (half + grown, -50), (half + grown - 4, 20),
                        (half + 14, low), (half * 0.5, low + 8)])
        relief.fill([relief.at(smooth(back))], person.hair, grain=0.09, soft=2.5, dome=(22, 30))
    if person.haircut == "bun" and not headwear:
        relief.fill([relief.at(oval(0, CROWN - 18, 30, 26))], person.hair, grain=0.09, soft=1.5, dome=(16, 22))
    throat = mirror([(half * 0.68, 40), (half * 0.66, 110), (half * 0.95, 165)])
    relief.fill([smooth(throat) + MIDDLE], person.skin * 0.9, soft=1.5, dome=(26, 40))
    wide, drop = rng.uniform(135, 175), rng.uniform(150, 172)
    collar = rng.uniform(120, 150)
    torso = mirror([(0, collar + rng.uniform(0, 35)), (half * 0.66, collar - 6), (half * 0.8, collar),
                     (wide * 0.8, drop), (wide, drop + 50), (wide + 12, 330)])
    relief.fill([smooth(torso) + MIDDLE], clothes, grain=0.04, soft=1, dome=(34, 60))
    relief.fill([relief.at(oval(0, CHIN + 14, half * 0.6, 16))], person.skin * 0.45, soft=9, opacity=0.45)


def draw_head(relief: Relief, person: Person) -> Points:
    """Draw ears and the bare head; return the outline of the face."""
    half = person.half_width
    for side in (-1, 1):
        x = side * (half + 3)
        relief.fill([relief.at(oval(x, 4, 10, 25, side * 0.15))], person.skin * 0.95, dome=(12, 8))
        relief.fill([relief.at(oval(x + side, 2, 4, 14, side * 0.15))], person.skin * 0.6, soft=3, opacity=0.7)
    relief.fill([relief.at(skull(half, person.jaw))], person.skin, soft=1)
    rows, columns = np.mgrid[:CANVAS, :CANVAS].astype(np.float32)
    ball = 1 - ((columns - MIDDLE[0]) / (half * 1.05)) ** 2 - ((rows - MIDDLE[1] + 8) / 132) ** 2
    relief.height = np.maximum(relief.height, 95 * np.sqrt(np.maximum(ball, 0)))
    brow_to_chin = [(x, y) for x, y in skull(half, person.jaw) if y > HAIRLINE]
    return relief.at([*brow_to_chin, (half + 6, 4), (-half - 6, 4), (0, HAIRLINE), (0, CHIN)])


def draw_features(relief: Relief, person: Person) -> None:
    """Shape the face and draw eyes, brows, nose and mouth."""
    rng, half, skin = relief.rng, person.half_width, person.skin
    apart = half * 0.43
    for side in (-1, 1):
        relief.bump((side * apart, EYE - 2), (15, 10), -19)
        relief.bump((side * apart * 0.62, EYE - 8), (7, 9), -7)
        relief.bump((side * apart, BROW - 6), (20, 7), 5)
        relief.bump((side * half * 0.54, 26), (17, 14), 11)
        relief.bump((side * half * 0.42, MOUTH), (7, 14), -4)
        relief.bump((side * person.nose_width * 0.85, NOSE - 3), (6, 6), 8)
        relief.fill([relief.at(oval(side * half * 0.52, 30, 17, 14))], _ruddy(skin, 0.12), soft=8, opacity=0.6)
        relief.fill([relief.at(oval(side * apart, EYE - 2, 21, 12))], skin * 0.62, soft=7, opacity=0.85)
    relief.bump((0, -4), (6.5, 22), 13)
    relief.bump((0, NOSE - 8), (person.nose_width * 0.62, 11), 19)
    relief.bump((0, MOUTH - 14), (4, 5), -5)
    relief.bump((0, MOUTH + 15), (14, 5), -7)
    relief.bump((0, CHIN - 14), (16, 11), 9)
    gaze, openness = rng.normal(0, 0.2), rng.uniform(0.34, 0.5)
    lift = rng.normal(0, 2.5)  # px: surprised or frowning brows
    for side in (-1, 1):
        _draw_eye(relief, person, side, gaze, openness)
        inner, outer = side * (apart - 19), side * (apart + 22)
        brow = [(inner, BROW + 2 + lift * 0.4), (side * apart, BROW - 5 - lift), (outer, BROW + 3 - person.eye_slant)]
        relief.fill([relief.at(curve(brow))], person.hair * 0.75, soft=1.6, opacity=0.85,
                    stroke=person.brow_width, dome=(2, 3))
        relief.fill([relief.at(oval(side * person.nose_width * 0.5, NOSE + 4, 4.2, 2.6, side * -0.3))],
                    skin * 0.28, soft=1.3, opacity=0.85)
    relief.fill([relief.at(oval(0, NOSE + 9, person.nose_width, 4))], skin * 0.5, soft=3.5, opacity=0.5)
    _draw_mouth(relief, person)


def _draw_eye(relief: Relief, person: Person, side: int, gaze: float, openness: float) -> None:
    x, wide, skin = side * person.half_width * 0.43, person.eye_size, person.skin
    outer, inner = (x + side * wide, EYE - person.eye_slant), (x - side * wide, EYE + 1.5)
    upper = curve([inner, (x, EYE - wide * openness * 1.25), outer])
    lower = curve([outer, (x, EYE + wide * openness), inner])
    lids = np.concatenate([upper, lower[1:-1]])
    relief.fill([relief.at(lids)], bgr(0.8, 0.82, 0.84), dome=(5, 9))
    # The lids hide the iris's upper part, so it is cut to the eye's opening.
    iris = oval(x + gaze * wide, EYE - 1, wide * 0.44, wide * 0.44)
    top, bottom = (np.interp(iris[:, 0], *edge[np.argsort(edge[:, 0])].T) for edge in (upper, lower))
    iris[:, 1] = np.clip(iris[:, 1], top, bottom)
    relief.fill([relief.at(iris)], person.iris, soft=0.8)
    relief.fill([relief.at(oval(x + gaze * wide, EYE - 1, wide * 0.19, wide * 0.19))], person.iris * 0.15)
    relief.fill([relief.at(oval(x + gaze * wide - 2.5, EYE - 3.5, 1.6, 1.6))], bgr(1, 1, 1), soft=0.6)
    relief.fill([relief.at(upper)], skin * 0.22, soft=0.9, stroke=2.6)
    relief.fill([relief.at(lower)], skin * 0.5, soft=0.9, opacity=0.7, stroke=1.4)
    relief.fill([relief.at(upper - (0, 6))], skin * 0.55, soft=1.4, opacity=0.6, stroke=1.8)


def _draw_mouth(relief: Relief, person: Person) -> None:
    rng, lips = relief.rng, _ruddy(person.skin * 0.8, 0.3)
    wide, smile = person.half_width * rng.uniform(0.34, 0.42), rng.uniform(-1, 9)
    parted = max(0.0, float(rng.normal(-2, 6)))  # px between the lips
    left, right = (-wide, MOUTH - smile), (wide, MOUTH - smile)
    above, below = MOUTH - 5 - 4 * person.lips, MOUTH + 7 + 6 * person.lips + parted
    bow = curve([left, (-wide * 0.28, above), (0, above + 2.5)])
    upper = np.concatenate([bow, bow[::-1] * (-1, 1)])
    line, lower_line = curve([right, (0, MOUTH + 1), left]), curve([left, (0, MOUTH + 1 + parted), right])
    relief.fill([relief.at(np.concatenate([upper, line]))], lips * 0.9, soft=1.2, dome=(3, 5))
    lower = np.concatenate([lower_line, curve([right, (0, below), left])])
    relief.fill([relief.at(lower)], lips, soft=1.2, dome=(5, 6))
    relief.fill([relief.at(np.concatenate([line, lower_line]))], lips * 0.25, soft=0.8, stroke=2)
    if parted > 2:
        opening = np.concatenate([line, lower_line])
        relief.fill([relief.at(opening)], lips * 0.22, soft=0.8)
        teeth = np.concatenate([line[4:-4], curve([left, (0, MOUTH + 1 + parted * 0.6), right])[4:-4]])
        relief.fill([relief.at(teeth)], bgr(0.82, 0.88, 0.9), soft=0.9)


def draw_beard(relief: Relief, person: Person) -> None:
    """Draw stubble, a moustache or a full beard."""
    half = person.half_width
    lip = np.concatenate([curve([(-34, MOUTH + 4), (0, MOUTH - 20), (34, MOUTH + 4)]),
                          curve([(30, MOUTH + 1), (0, MOUTH - 7), (-30, MOUTH + 1)])])
    if person.beard == "moustache":
        relief.fill([relief.at(lip)], person.hair, grain=0.2, soft=2, opacity=0.9, dome=(4, 6))
        return
    chin = skull(half, person.jaw, 3)
    chin = chin[chin[:, 1] > 0]
    cheeks = np.concatenate([chin, curve([(-half * 0.9, 6), (-half * 0.62, 48), (-32, MOUTH - 12)]),
                             curve([(-32, MOUTH - 14), (0, MOUTH - 19), (32, MOUTH - 14)]),
                             curve([(32, MOUTH - 12), (half * 0.62, 48), (half * 0.9, 6)])])
    mouth = oval(0, MOUTH + 2, 29, 12)
    full = person.beard == "full"
    relief.fill([relief.at(cheeks), relief.at(mouth)], person.hair, grain=0.2, soft=4, opacity=0.92 if full else 0.3,
                dome=(6, 14) if full else (0, 1))


def draw_hair(relief: Relief, person: Person, headwear: str) -> None:
    """Draw the hair over the forehead and temples."""
    if person.haircut == "bald" or headwear == "headscarf":
        return
    rng, half = relief.rng, person.half_width
    grow = {"receding": 3.0, "bob": 16.0, "long": 14.0, "curly": 34.0}.get(person.haircut, 9.0)
    if headwear:
        grow = 4.0
    crown = skull(half, person.jaw, grow)
    low = {"receding": -30.0, "bob": 62.0, "long": 110.0, "curly": 10.0}.get(person.haircut, -4.0)
    crown = crown[crown[:, 1] < -20]  # from the left ear over the top to the right
    edge = half + grow
    locks = [(edge * 0.99, low), (half * 0.93, low)], [(-half * 0.93, low), (-edge * 0.99, low)]
    shape = np.concatenate([crown, locks[0], _hairline(person, rng), locks[1]])
    relief.fill([relief.at(shape)], person.hair, grain=0.09, soft=2.2, dome=(13, 22))
    if person.haircut == "curly" and not headwear:
        for x, y in rng.permutation(np.concatenate([skull(half, 2, inward)[40:][::3] for inward in (6, 20, 34)])):
            curl = oval(x + rng.normal(0, 3), y + rng.normal(0, 3), *rng.uniform(9, 14, 2))
            relief.fill([relief.at(curl)], person.hair * rng.uniform(0.85, 1.15), soft=1.5, dome=(7, 9))


def _hairline(person: Person, rng: np.random.Generator) -> Points:
    """Return the lower edge of the hair over the forehead, right to left."""
    half = person.half_width
    if person.haircut == "parted":
        part = rng.uniform(-0.5, 0.5) * half
        return np.array([(half * 0.93, -40), (half * 0.78, -74), (part, -106), (part - 4, -106), (-half * 0.78, -70),
                         (-half * 0.93, -40)])
    right_half: list[tuple[float, float]] = {
        "receding": [(half * 0.2, -108.0), (half * 0.66, -98.0), (half * 0.94, -58.0)],
        "fringe": [(half * 0.3, -54.0), (half * 0.8, -52.0), (half * 0.92, -30.0)],
    }.get(person.haircut, [(half * 0.3, HAIRLINE - 3), (half * 0.84, -76.0), (half * 0.94, -40.0)])
    return np.array(right_half[::-1] + [(-x, y) for x, y in right_half])


def skull(half_width: float, jaw: float, grow: float = 0) -> Points:
    """Return the head's outline, crown to chin, `grow` px larger."""
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    x, y = np.cos(angle), np.sin(angle)
    power = np.where(y > 0, 2 / jaw, 0.84)
    return np.stack([
        (half_width + grow) * np.sign(x) * np.abs(x) ** power,
        EYE + np.where(y > 0, CHIN - EYE + grow, EYE - CROWN + grow) * np.sign(y) * np.abs(y) ** power,
    ], axis=1)


def _ruddy(skin: Colour, share: float) -> Colour:
    return np.asarray(np.minimum(skin * bgr(1 - share, 1 - share, 1 + share * 0.3), 1), np.float32)
