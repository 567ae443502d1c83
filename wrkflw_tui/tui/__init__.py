"""The terminal app: one client of the record, beside the worker and the command line."""
