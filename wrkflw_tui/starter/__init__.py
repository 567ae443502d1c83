"""The first automation that `init` and the app write for somebody who has none."""
