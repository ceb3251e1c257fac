"""The pages that the kiosk serves: the screen, its setup, and the day in figures."""
