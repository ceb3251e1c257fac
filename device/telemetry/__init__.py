"""Who is told what happens at the door, and how it is counted."""
