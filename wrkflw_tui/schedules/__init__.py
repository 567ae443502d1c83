"""When a schedule fires, and what to do when it should have."""
