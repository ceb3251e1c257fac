"""Random histories of a door: what no visit, no emptiness and no order of faces may lead to."""

import itertools
import random
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from gpiozero import Device

from device.classifier import MODELS, Verdict
from device.compare_visits import Tally, percentile
from device.decision import Decision
from device.events import Event, Kind, State
from device.faces import Box
from device.levels import Levels
from device.look import Look
from device.model_card import read_card
from device.settings import DecisionSettings, SignalSettings
from device.signals import signals as module
from device.signals.signals import Signals
from device.visits import TrueVisit, Visit, gather

LEVELS = Levels(threshold=0.6, release=0.4)
HISTORIES = 10_000
RELAY = 16
WITH, WITHOUT = "with_mask", "without_mask"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def some_verdict(chance: random.Random, box: Box) -> Verdict:
    score = chance.choice([0.02, 0.1, 0.5, 0.9, 0.98])
    look = Look(
        x=chance.random(), y=chance.random(), height=chance.choice([0.05, 0.3, 0.3, 0.3]),
        brightness=chance.choice([5.0, 120.0, 120.0]), sharpness=chance.uniform(0, 40), cut=chance.random() < 0.1,
    )  # fmt: skip
    return Verdict(box, 1.0, (1 - score, score), score, WITHOUT, look)


def history(chance: random.Random) -> list[tuple[float, list[Verdict]]]:
    """Return some frames' times and verdicts: faces that appear, jump, grow, are missed and vanish; then nobody."""
    now, frames, boxes = chance.uniform(0, 1e5), [], list[Box]()
    for _ in range(chance.randrange(1, 25)):
        now += chance.choice([0.03, 0.1, 0.1, 0.1, 0.3, 1.0, 4.0])
        if chance.random() < 0.2 or not boxes:
            side = chance.randrange(8, 200)
            boxes = [*boxes, Box(chance.randrange(600), chance.randrange(400), side, side)][-chance.randrange(1, 4) :]
        boxes = [
            Box(max(0, x + chance.randrange(-20, 21)), y, max(1, width + chance.randrange(-9, 10)), height)
            for x, y, width, height in boxes
        ]
        frames.append((now, [some_verdict(chance, box) for box in boxes if chance.random() < 0.8]))
    return frames + [(now + 0.5 * tick, []) for tick in range(1, 9)]


def check_events(events: list[Event]) -> None:
    """Fail unless each visit has one enter, at most one verdict before its changes, and one leave, in that order."""
    for number in {event.visit for event in events}:
        visit = [event for event in events if event.visit == number]
        kinds = [event.kind for event in visit]
        assert (kinds[0], kinds[-1], kinds.count(Kind.ENTER), kinds.count(Kind.LEAVE)) == (Kind.ENTER, Kind.LEAVE, 1, 1)
        assert kinds[1:-1] == ([Kind.VERDICT] + [Kind.CHANGE] * (len(kinds) - 3) if len(kinds) > 2 else [])
        told = [event.state for event in visit[1:-1]]
        assert all(a is not b for a, b in itertools.pairwise(told))
        assert [event.at for event in visit] == sorted(event.at for event in visit)
    assert Counter(event.kind for event in events if event.kind is Kind.ENTER)[Kind.ENTER] == max(
        (event.visit for event in events), default=0
    )


def test_ten_thousand_histories_keep_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setattr(module, "LATE_SECONDS", 600.0)  # a busy computer shall not add to the histories
    chance, shown = random.Random(6), Counter[State]()  # noqa: S311 no secret
    with ExitStack() as stack:
        signals = stack.enter_context(Signals(SignalSettings(relay_pin=RELAY), "mock"))
        signals.trust(read_card(MODELS / "door.tflite")[0])
        pin = Device.pin_factory.pin(RELAY)
        for _ in range(HISTORIES):
            least_move = chance.choice([0.0, 0.07])
            decision, events = Decision(DecisionSettings(least_move=least_move), LEVELS), list[Event]()
            seen_bare = False
            for now, verdicts in history(chance):
                alert, happened = decision.update(now, verdicts)
                events += happened
                seen_bare = seen_bare or any(verdict.alarm_score >= LEVELS.threshold for verdict in verdicts)
                assert decision.state is not State.ALARM or seen_bare
                assert alert is None or alert.state is decision.state
                signals.show(decision.state, now, NOON, happened)
                assert not pin.state or decision.state is State.CLEAR
                shown[decision.state] += 1
            assert decision.state is State.IDLE
            check_events(events)
    assert min(shown[state] for state in (State.IDLE, State.CHECKING, State.CLEAR, State.ALARM)) > 1000
    assert sum(change.state for change in pin.states) > 100  # the door was released


def event(kind: Kind, at: float, visit: int, state: State = State.CHECKING) -> Event:
    return Event(kind, at, visit, state, 0.5, at - 0.25)


def test_events_are_gathered_into_visits() -> None:
    events = [
        event(Kind.ENTER, 1.25, 1), event(Kind.VERDICT, 2.0, 1, State.ALARM), event(Kind.ENTER, 2.25, 2),
        event(Kind.CHANGE, 3.0, 1, State.CLEAR), event(Kind.LEAVE, 4.0, 1, State.CLEAR),
    ]  # fmt: skip
    assert gather(events, 5.0) == [
        Visit(1, 1.0, 3.75, (WITHOUT, WITH), (2.0, 3.0)), Visit(2, 2.0, 5.0, (), ()),
    ]


def test_visits_are_compared_with_the_true_ones() -> None:
    true = [
        TrueVisit(0, 10, (WITH,), 1.0), TrueVisit(0, 10, (WITHOUT,), 2.0), TrueVisit(20, 30, (WITH,), 20.0),
        TrueVisit(40, 50, (WITHOUT, WITH), 40.0), TrueVisit(60, 70, (WITH,), 60.0),
        TrueVisit(75, 90, ("poster",), 75.0),
    ]  # fmt: skip
    told = [
        Visit(1, 0.5, 9, (WITHOUT,), (2.5,)), Visit(2, 1, 10, (WITH,), (1.25,)),
        Visit(3, 20, 25, (), ()), Visit(4, 26, 29, (WITHOUT,), (27.0,)),
        Visit(5, 40, 50, (WITHOUT,), (41.0,)), Visit(6, 100, 101, (WITHOUT,), (100.5,)),
    ]  # fmt: skip
    tally = Tally()
    assert tally.count(told, true) == ["right", "right", "unsure", "wrong", "missed"]
    assert tally == Tally(
        visits=5, right=2, unsure=1, missed=1, once=3, masked=3, false_alarms=1, ghosts=1, ghost_alarms=1, posters=1,
        seconds=[0.25, 0.5],
    )  # fmt: skip


@pytest.mark.parametrize("pieces", [((2, 5), (6, 10)), ((2, 7), (8, 10)), ((2, 10), (10, 10))])
@pytest.mark.parametrize("late", [0.0, 0.1])
def test_whose_visit_was_told_in_pieces_does_not_depend_on_the_tables_order(
    pieces: tuple[tuple[float, float], ...], late: float
) -> None:
    masked, bare = TrueVisit(2, 10, (WITH,), 2.0), TrueVisit(2 + late, 10, (WITHOUT,), 2.0 + late)
    told = [Visit(number, *times, (WITHOUT,), (times[0] + 0.5,)) for number, times in enumerate(pieces)]
    told.append(Visit(9, 2, 10, (WITH,), (3.0,)))
    for true in ([masked, bare], [bare, masked]):
        tally = Tally()
        assert tally.count(told, true) == ["right", "right"]
        assert (tally.false_alarms, tally.masked, tally.once, tally.ghosts) == (0, 1, 1, 0)
        assert sorted(tally.seconds) == pytest.approx([0.5 - late, 1.0])


def test_who_rang_while_both_stood_there_is_the_bare_one() -> None:
    masked, bare = TrueVisit(2, 10, (WITH,), 2.0), TrueVisit(2, 10, (WITHOUT,), 2.0)
    for true in ([masked, bare], [bare, masked]):
        tally = Tally()
        assert sorted(tally.count([Visit(1, 2, 10, (WITH, WITHOUT), (3.0, 5.0))], true)) == ["missed", "wrong"]
        told = [Visit(1, 2, 10, (WITH,), (3.0,)), Visit(2, 2, 6, (), ()), Visit(3, 7, 9, (WITH, WITHOUT), (8.0, 8.5))]
        assert sorted(tally.count(told, true)) == ["right", "unsure"]
        assert (tally.false_alarms, tally.ghosts) == (0, 0)


@pytest.mark.parametrize(
    ("told", "outcome", "false_alarms"),
    [
        ([(0, 60, WITHOUT)], "missed", 0),  # nobody but the poster was seen
        ([(0, 25, WITHOUT), (22.4, 31.3, WITH), (25.5, 60, WITHOUT)], "right", 0),  # it was told anew
        ([(22.4, 28, WITH), (28.5, 32, WITHOUT)], "right", 1),  # the person was, who left somewhat later than told
        ([(22.4, 31.3, WITHOUT)], "wrong", 1),
        ([(22.4, 60, WITHOUT)], "wrong", 1),  # the kiosk took the poster for them once they had gone
        ([(22.4, 28, WITH), (50, 51, WITHOUT)], "right", 0),  # another poster
    ],
)
def test_what_is_told_of_a_poster_is_nobodys(
    told: list[tuple[float, float, str]], outcome: str, false_alarms: int
) -> None:
    true = [TrueVisit(enter, leave, ("poster",), enter) for enter, leave in ((0, 36), (45, 60))]
    true.append(TrueVisit(22.3, 31.3, (WITH,), 22.85))
    visits = [Visit(number, enter, leave, (answer,), (enter + 0.5,)) for number, (enter, leave, answer) in
              enumerate(told)]
    for order in (true, true[::-1]):
        tally = Tally()
        assert tally.count(visits, order) == [outcome]
        assert (tally.false_alarms, tally.ghosts, tally.posters) == (false_alarms, 0, 2)


def test_the_first_right_verdict_counts_whichever_piece_of_a_visit_is_the_longest() -> None:
    tally = Tally()
    pieces = [(2, 3, WITH), (3, 5, WITHOUT), (6, 10, WITHOUT)]
    told = [Visit(number, enter, leave, (answer,), (enter + 0.5,)) for number, (enter, leave, answer) in
            enumerate(pieces)]
    assert tally.count(told, [TrueVisit(2, 10, (WITHOUT,), 2.0)]) == ["right"]
    assert (tally.seconds, tally.once) == ([1.5], 0)


def test_percentile() -> None:
    values = [float(value) for value in range(20, 0, -1)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.95, 1.0)] == [1.0, 10.0, 19.0, 20.0]
