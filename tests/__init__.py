"""The tests, room by room as the code they are about."""
