"""How often a step is tried, and how long it waits in between."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta

from wrkflw_tui.engine.errors import DefinitionError, GiveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When a step that raised is tried again.

    The wait before attempt n + 1 is `initial_delay * backoff ** (n - 1)`, at most `max_delay`, made
    longer or shorter by a random share of up to `jitter`.
    """

    max_attempts: int = 1
    initial_delay: timedelta = timedelta(seconds=1)
    backoff: float = 2.0
    max_delay: timedelta = timedelta(minutes=5)
    jitter: float = 0.1
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    give_up_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise DefinitionError(f"max_attempts must be at least 1, not {self.max_attempts}")
        if self.initial_delay < timedelta(0) or self.max_delay < timedelta(0):
            raise DefinitionError("initial_delay and max_delay cannot be negative")
        if self.backoff < 1:
            raise DefinitionError(f"backoff must be at least 1, not {self.backoff}")
        if not 0 <= self.jitter <= 1:
            raise DefinitionError(f"jitter is a share from 0 to 1, not {self.jitter}")

    def retries(self, error: BaseException, failures: int) -> bool:
        """Tell whether a step that has failed `failures` times, last with `error`, runs again."""
        if failures >= self.max_attempts or isinstance(error, (GiveUp, *self.give_up_on)):
            return False
        return isinstance(error, self.retry_on)

    def delay(self, failures: int, rng: random.Random | None = None) -> timedelta:
        """Return the wait after the `failures`-th failure."""
        # The exponent is capped so that a policy of thousands of attempts cannot overflow.
        grown = self.initial_delay.total_seconds() * self.backoff ** min(failures - 1, 64)
        capped = min(grown, self.max_delay.total_seconds())
        spread = (rng or _RANDOM).uniform(-self.jitter, self.jitter)
        return timedelta(seconds=min(capped * (1 + spread), self.max_delay.total_seconds()))


NO_RETRY = RetryPolicy()

_RANDOM = random.Random()
