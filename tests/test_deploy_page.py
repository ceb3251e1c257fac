"""Every command that docs/deploy.md shows is run by the virtual Pi's story, which ends by looking that it ran all."""

from virtual_pi.page import COMMANDS, page_commands


def test_every_command_of_the_page_is_run_by_the_story() -> None:
    assert set(page_commands()) == set(COMMANDS)
