"""Breaks the kiosk in every way we know, and writes down what the door sees of it."""
