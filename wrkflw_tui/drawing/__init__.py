"""Drawings of a definition and of a run over it: pure functions, no screen and no record."""
