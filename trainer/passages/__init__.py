"""Makes scripted passages through a door, drawn or as bare numbers, and measures what the kiosk says of them."""
