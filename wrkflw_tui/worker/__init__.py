"""The processes behind the screen: the worker, a runner for each run, the look at the folder."""
