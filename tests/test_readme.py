"""What the README says of the shipped models is what their cards say, and it isn't too long."""

from places import TREE

from device.classifier import MODELS
from device.model_card import read_card

README = (TREE / "README.md").read_text()


def test_the_figures_are_the_cards() -> None:
    rows = []
    for name in ("simple", "simple-random"):
        card, content = read_card(MODELS / f"{name}.tflite")
        trained, measured = card.trained_on, card.measured
        low, high = measured.accuracy_interval
        rows.append(
            f"| `{name}` | {trained.split} | {trained.leak:.1%} | {measured.n} | **{measured.accuracy:.4f}** "
            f"| {low:.4f} to {high:.4f} | {measured.parity:.1%} | {len(content) / 1e6:.2f} MB |"
        )
    assert [line for line in README.splitlines() if line.startswith("| `simple")] == rows


def test_it_is_read_to_its_end() -> None:
    assert README.count("\n") <= 150
