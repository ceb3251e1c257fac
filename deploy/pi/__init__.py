"""What runs on the Pi itself: Debian's Python 3.11 or 3.13, its standard library, as root where it changes things."""
