"""One screen to a file, its stylesheet beside it."""
