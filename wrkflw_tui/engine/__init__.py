"""Definitions and the walk over a run's record. Knows no SQL, no screen, no folder, no cron."""
