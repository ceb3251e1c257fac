"""What ails a kiosk: a module for each part that is checked."""
