"""What is wired to the board: lamps, buzzer, door relay, button."""
