"""Measures what the kiosk and its training cost, beside what people would use instead: make bench."""

import os

ENVIRONMENT = os.environ | {"PYTHONPATH": ".:tests"}  # of the bench's own modules, run in the tree by themselves
