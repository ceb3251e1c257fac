"""Stand-ins of a Pi's camera and pins for the real program in a process of its own; $STAGE is their folder."""
