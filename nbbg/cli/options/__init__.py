"""What can be typed after each command; nothing here imports what a command needs."""
