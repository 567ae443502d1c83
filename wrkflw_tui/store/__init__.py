"""The one SQLite file that holds every run, schedule and message."""
