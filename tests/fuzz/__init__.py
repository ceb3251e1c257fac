"""Feeds every reader of what others write with broken input, guided by the lines of code that it reaches."""
