"""Every command that docs/deploy.md shows is run by a test: the virtual Pi's story, or one that is named here."""

from pathlib import Path

from virtual_pi.page import COMMANDS, page_commands

TESTS = Path(__file__).parent
ELSEWHERE = {
    "make bundle DEBIAN=13": ("virtual_pi/trixie.sh", "make bundle DEBIAN=13"),
}


def test_every_command_of_the_page_is_run_by_a_test() -> None:
    assert set(page_commands()) == {*COMMANDS, *ELSEWHERE}
    for file, line in ELSEWHERE.values():
        assert line in (TESTS / file).read_text()
