"""Measures what the kiosk and its training cost, beside what people would use instead: make bench."""
