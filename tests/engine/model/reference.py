"""What a tree should come to: a plain recursion that knows nothing of records, tasks or time.

Where arms side by side end early it is not determined how far the others came: then there are
several courses, and in each of them paths that must be on record and paths that may be.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from engine.model.tree import (
    SIZE,
    Boom,
    Branch,
    Flow,
    Foreach,
    Loop,
    Map,
    Parallel,
    Sleep,
    Step,
    Then,
    Wait,
    answer_to,
    fold,
    holds,
    items_of,
    payload_of,
    weigh,
)

from wrkflw_tui import StepFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.model.tree import Body, Node

MOST_COURSES = 48


class Undetermined(Exception):
    """The tree leaves open what comes of it: no reference can tell."""


@dataclass(frozen=True)
class Ok:
    value: int


@dataclass(frozen=True)
class Bail:
    value: int


@dataclass(frozen=True)
class Fail:
    path: str
    type: str


Outcome: TypeAlias = Ok | Bail | Fail


@dataclass(frozen=True)
class Final:
    """What is on record at one path: how its attempts ended, and what the last one gave."""

    statuses: tuple[str, ...]
    output: object = None

    @property
    def is_done(self) -> bool:
        return self.statuses[-1:] in (("success",), ("bailed",))


CUT_OFF = Final(())
"""A container around a step that bailed."""
Fields: TypeAlias = "Mapping[tuple[str, str], int]"
"""Of the states: by the workflow's path and the field."""


@dataclass(frozen=True)
class Course:
    """One way that it may go."""

    outcome: Outcome
    must: Mapping[str, Final] = field(default_factory=dict[str, Final])
    may: Mapping[str, tuple[Final, ...]] = field(default_factory=dict[str, "tuple[Final, ...]"])
    set: Fields = field(default_factory=dict["tuple[str, str]", int])
    may_set: Fields = field(default_factory=dict["tuple[str, str]", int])
    asks: bool = False
    """Whether it waits to be told something."""
    rests: bool = False
    """Whether it has to wait for anything: a person, an event, an instant."""
    never: frozenset[str] = frozenset()
    """Arms that cannot end: their question is withdrawn before the run rests and is answered."""
    order: tuple[tuple[str, str], ...] | None = ()
    """Its questions in the order of asking, where that is determined."""
    needs: bool = False
    """Whether it comes to its end only once it was told something."""

    def then(self, later: Course) -> Course:
        """Return this course and what follows on it."""
        both = None not in (self.order, later.order)
        return Course(
            later.outcome,
            {**self.must, **later.must},
            {**self.may, **later.may},
            {**self.set, **later.set},
            {**self.may_set, **later.may_set},
            self.asks or later.asks,
            self.rests or later.rests,
            self.never | later.never,
            (*(self.order or ()), *(later.order or ())) if both else None,
            self.needs or later.needs,
        )

    def with_row(self, path: str, final: Final) -> Course:
        return replace(self, must={**self.must, path: final})

    def cut_off(self) -> Course:
        """Return it where it may have ended anywhere."""
        may: dict[str, tuple[Final, ...]] = {path: (f,) for path, f in self.must.items()}
        for path, finals in self.may.items():
            may[path] = (*may.get(path, ()), *finals)
        fields = {**self.set, **self.may_set}
        order = None if self.asks else ()
        return Course(self.outcome, {}, may, {}, fields, self.asks, True, self.never, order)


@dataclass(frozen=True)
class Scope:
    """Where a node is."""

    prefix: str = ""
    state: str | None = None
    """The path of the workflow whose state it shares."""
    around: str | None = None
    """That of the nearest workflow around it that has one."""
    attempts: int = 1
    alone: bool = True
    """Whether nothing goes on beside it."""
    before: Course = field(default_factory=lambda: Course(Ok(0)))
    """What went before, for the state that it sees."""
    known: Mapping[str, Final] = field(default_factory=dict[str, Final])
    """Of a run that failed and goes on once more: what is on record."""

    def final(self, path: str, status: str, output: object = None) -> Final:
        """Return what is on record once something has ended, if it had not succeeded before."""
        known = self.known.get(path, CUT_OFF)
        return known if known.is_done else Final((*known.statuses, status), output)

    def done(self, path: str) -> Final | None:
        """Return what is on record of a success."""
        known = self.known.get(path, CUT_OFF)
        return known if known.is_done else None


def courses_of(tree: Flow, value: int, first: Course | None = None) -> list[Course]:
    """Return every way that a run of the tree may go. Raises `Undetermined`."""
    state = "" if tree.state else None
    scope = Scope(state=state, around=state, attempts=tree.attempts or 1)
    if first is not None:
        scope = replace(scope, known=first.must, before=Course(Ok(0), set=first.set))
    return [
        replace(c, outcome=Ok(c.outcome.value)) if isinstance(c.outcome, Bail) else c
        for c in _chain([_of(node) for node in tree.nodes], value, scope)
    ]


def courses_again(tree: Flow, value: int, first: Course) -> list[Course]:
    """Return every way that a run may go on once more that has failed as `first` says."""
    courses: list[Course] = []
    for course in courses_of(tree, value, first):
        kept = {path: final for path, final in first.must.items() if path not in course.may}
        must, fields = {**kept, **course.must}, {**first.set, **course.set}
        courses.append(replace(course, must=must, set=fields, order=None))
    return courses


Part: TypeAlias = "Callable[[int, Scope], list[Course]]"


def _chain(parts: Sequence[Part], value: int, scope: Scope) -> list[Course]:
    """Take one part after another, as long as there is a value in hand."""
    courses = [Course(Ok(value))]
    for part in parts:
        following: list[Course] = []
        for course in courses:
            if not isinstance(course.outcome, Ok):
                following.append(course)
                continue
            here = replace(scope, before=scope.before.then(course))
            following += [course.then(later) for later in part(course.outcome.value, here)]
        courses = following
        if len(courses) > MOST_COURSES:
            raise Undetermined
    return courses


def _of(node: Node) -> Part:
    match node:
        case Then():
            return lambda value, scope: _then(node, value, scope)
        case Map():
            return lambda value, scope: _map(
                node.id, (value * 2 + 1) % SIZE, scope, fails=node.fails
            )
        case Parallel():
            return lambda value, scope: _parallel(node, value, scope)
        case Branch():
            return lambda value, scope: _branch(node, value, scope)
        case Foreach():
            return lambda value, scope: _foreach(node, value, scope)
        case Loop():
            return lambda value, scope: _loop(node, value, scope)
        case Sleep():
            return lambda value, scope: _sleep(node, value, scope)
        case Wait():
            return lambda value, scope: _wait(node, scope)


def _body(body: Body, value: int, scope: Scope, suffix: str = "", failure: bool = False):
    path = f"{scope.prefix}{body.id}{suffix}"
    if isinstance(body, Step):
        return [_step(body, path, value, scope)]
    if (done := scope.done(path)) is not None:
        return [Course(Ok(_number(done.output)))]
    state = None
    if body.state:
        state = scope.around if scope.around is not None else f"{path}/"
    around = scope.around if state is None else state
    inner = replace(
        scope,
        prefix=f"{path}/",
        state=state,
        around=around,
        attempts=body.attempts or scope.attempts,
    )
    parts = [_of(node) for node in body.nodes]
    if failure:
        parts.insert(0, lambda value, scope: _map("weigh", value, scope))
    courses: list[Course] = []
    for course in _chain(parts, value, inner):
        outcome = course.outcome
        if isinstance(outcome, Fail):
            courses.append(course.with_row(path, scope.final(path, "failed")))
        else:
            ended = replace(course, outcome=Ok(outcome.value))
            courses.append(ended.with_row(path, scope.final(path, "success", outcome.value)))
    return courses


def _number(output: object) -> int:
    assert isinstance(output, int)
    return output


def _step(step: Step, path: str, value: int, scope: Scope) -> Course:
    known = scope.known.get(path, CUT_OFF)
    if known.is_done:
        given = _number(known.output)
        return Course(Ok(given) if known.statuses[-1] == "success" else Bail(given))
    attempts = step.attempts or scope.attempts
    applies = step.only is None or value % 3 == step.only
    asks, fails = (step.asks, step.fails) if applies else (0, 0)
    keys = tuple(f"q{number}" for number in range(asks))
    total = value + sum(answer_to(path, key) for key in keys)
    if step.sets and scope.state is not None and scope.alone:
        total += _seen(path, scope)
    asked = keys[known.statuses.count("suspended") :]
    fails = max(0, fails - known.statuses.count("failed"))
    failed = ("failed",) * min(fails, attempts)
    statuses = (*known.statuses, *("suspended" for _ in asked), *failed)
    outcome: Outcome
    if fails >= attempts:
        outcome, final = Fail(path, "Boom"), Final(statuses)
    elif applies and step.bails:
        outcome = Bail(total % SIZE)
        final = Final((*statuses, "bailed"), outcome.value)
    else:
        outcome = Ok((total + 1) % SIZE)
        final = Final((*statuses, "success"), outcome.value)
    keeps = step.sets and scope.state is not None and (asks or not isinstance(outcome, Fail))
    fields = {(scope.state or "", path): value} if keeps else {}
    order = tuple((path, key) for key in asked)
    rests = bool(asked or (step.pause and fails))
    return Course(
        outcome, {path: final}, {}, fields, {}, bool(asked), rests, order=order, needs=bool(asked)
    )


def _seen(path: str, scope: Scope) -> int:
    def mine(fields: Fields) -> set[str]:
        return {name for where, name in fields if where == scope.state} - {path}

    if mine(scope.before.may_set) - mine(scope.before.set):
        raise Undetermined
    return len(mine(scope.before.set))


def _then(node: Then, value: int, scope: Scope) -> list[Course]:
    courses: list[Course] = []
    is_handled = node.recover is not None and scope.prefix + node.recover.id in scope.known
    # What a handler was entered for is not tried again.
    here = _as_at_first(scope, scope.prefix + node.body.id) if is_handled else scope
    for course in _body(node.body, value, here):
        failed = course.outcome
        if node.recover is None or not isinstance(failed, Fail):
            courses.append(course)
            continue
        weight = weigh(StepFailure(failed.path, failed.type, ""))
        here = replace(scope, before=scope.before.then(course))
        handled = _body(node.recover, weight, here, failure=True)
        courses += [course.then(later) for later in handled]
    return courses


def _as_at_first(scope: Scope, body: str) -> Scope:
    """Return where a body stood that is not walked again: what it has set was not set yet."""

    def others(fields: Fields) -> Fields:
        inside = (f"{body}/", body)
        return {key: value for key, value in fields.items() if not key[1].startswith(inside)}

    before = scope.before
    before = replace(before, set=others(before.set), may_set=others(before.may_set))
    return replace(scope, known={}, before=before)


def _map(id: str, output: object, scope: Scope, *, fails: bool = False) -> list[Course]:
    path = scope.prefix + id
    if fails:
        return [Course(Fail(path, "Boom"), {path: scope.final(path, "failed")})]
    given = output if isinstance(output, int) else 0
    return [Course(Ok(given), {path: scope.final(path, "success", output)})]


def _parallel(node: Parallel, value: int, scope: Scope) -> list[Course]:
    if (done := scope.done(f"{scope.prefix}{node.id}-fold")) is not None:
        return [Course(Ok(_number(done.output)))]
    beside = replace(scope, alone=False)
    arms = [_body(arm, value, beside) for arm in node.arms]
    is_narrow = node.limit is not None and node.limit < len(arms)
    courses: list[Course] = []
    for course, gave in _together(arms, collect=node.collect, stops=False, is_narrow=is_narrow):
        if gave is not None:
            failed = [arm.id for arm, g in zip(node.arms, gave, strict=True) if _is_failure(g)]
            if failed:
                path = scope.prefix + node.id
                course = course.with_row(path, scope.final(path, "success", failed))
            (folded,) = _map(f"{node.id}-fold", fold(gave), scope)
            course = course.then(folded)
        courses.append(course)
    return courses


def _branch(node: Branch, value: int, scope: Scope) -> list[Course]:
    path = scope.prefix + node.id
    chosen: list[Body] = []
    try:
        for number, arm in node.cases:
            if holds(number, value) and (node.takes_all or not chosen):
                chosen.append(arm)
                if not node.takes_all:
                    break
    except Boom:
        return [Course(Fail(path, "Boom"), {path: scope.final(path, "failed")})]
    if not chosen and not node.takes_all:
        if node.otherwise is None:
            return [Course(Fail(path, "NoConditionHolds"), {path: scope.final(path, "failed")})]
        chosen.append(node.otherwise)
    ids = [arm.id for arm in chosen]
    decided = Course(Ok(value), {path: scope.final(path, "success", ids)})
    if not node.takes_all:
        return [decided.then(later) for later in _body(chosen[0], value, scope)]
    if (done := scope.done(f"{scope.prefix}{node.id}-fold")) is not None:
        return [Course(Ok(_number(done.output)))]
    beside = replace(scope, alone=False)
    arms = [_body(arm, value, beside) for arm in chosen]
    courses: list[Course] = []
    for course, gave in _together(arms, collect=False, stops=False):
        if gave is not None:
            by_id = {arm.id: g for arm, g in zip(chosen, gave, strict=True)}
            (folded,) = _map(f"{node.id}-fold", fold(by_id), scope)
            course = course.then(folded)
        courses.append(decided.then(course))
    return courses


def _foreach(node: Foreach, value: int, scope: Scope) -> list[Course]:
    path = scope.prefix + node.id
    if (done := scope.done(f"{scope.prefix}{node.id}-fold")) is not None:
        return [Course(Ok(_number(done.output)))]
    items = items_of(value, node.items)
    (made,) = _map(f"{node.id}-items", items, scope)
    beside = replace(scope, alone=False)
    arms = [_body(node.body, item, beside, f"[{index}]") for index, item in enumerate(items)]
    courses: list[Course] = []
    for course, gave in _together(arms, collect=node.collect, stops=True):
        if gave is not None:
            failed = [index for index, g in enumerate(gave) if _is_failure(g)]
            course = course.with_row(path, scope.final(path, "success", failed))
            (folded,) = _map(f"{node.id}-fold", fold(gave), scope)
            course = course.then(folded)
        elif isinstance(course.outcome, Fail):
            course = course.with_row(path, scope.final(path, "failed"))
        else:
            course = course.with_row(path, CUT_OFF)
        courses.append(made.then(course))
    return courses


def _loop(node: Loop, value: int, scope: Scope) -> list[Course]:
    path = scope.prefix + node.id
    if (done := scope.done(path)) is not None:
        return [Course(Ok(_number(done.output)))]

    def iteration(index: int) -> Part:
        def go(value: int, scope: Scope) -> list[Course]:
            is_over = index + 1 >= node.times
            says = is_over if node.until else not is_over
            at = f"{path}[{index}]"
            decision = {at: scope.final(at, "success", says)}
            courses: list[Course] = []
            for course in _body(node.body, value, scope, f"[{index}]"):
                if isinstance(course.outcome, Ok):
                    course = course.then(Course(course.outcome, decision))
                courses.append(course)
            return courses

        return go

    count = min(node.times, node.at_most)
    courses: list[Course] = []
    for course in _chain([iteration(index) for index in range(count)], value, scope):
        if isinstance(course.outcome, Ok) and node.times > node.at_most:
            course = replace(course, outcome=Fail(path, "TooManyIterations"))
        match course.outcome:
            case Ok(last):
                courses.append(course.with_row(path, scope.final(path, "success", last)))
            case Fail():
                courses.append(course.with_row(path, scope.final(path, "failed")))
            case Bail():
                courses.append(course.with_row(path, CUT_OFF))
    return courses


def _sleep(node: Sleep, value: int, scope: Scope) -> list[Course]:
    path = scope.prefix + node.id
    if node.computed and node.fails:
        return [Course(Fail(path, "Boom"), {path: scope.final(path, "failed")})]
    rests = node.seconds > 0
    return [Course(Ok(value), {path: scope.final(path, "success")}, rests=rests)]


def _wait(node: Wait, scope: Scope) -> list[Course]:
    path = scope.prefix + node.id
    if node.late:
        final = scope.final(path, "failed")
        return [
            Course(Fail(path, "EventTimeout"), {path: final}, asks=True, rests=True, needs=True)
        ]
    payload = payload_of("go")
    final = scope.final(path, "success", payload)
    asks = scope.done(path) is None
    return [Course(Ok(payload), {path: final}, asks=asks, rests=asks, needs=asks)]


Gave: TypeAlias = "list[int | StepFailure] | None"


def _is_failure(gave: object) -> bool:
    return isinstance(gave, StepFailure)


def _together(
    arms: list[list[Course]], *, collect: bool, stops: bool, is_narrow: bool = False
) -> list[tuple[Course, Gave]]:
    """Combine arms side by side: what each gave, or the failure or the bail of one of them.

    With `stops` no arm begins after a failure; with `is_narrow` one that asks may keep others
    from beginning where it is withdrawn.
    """
    found: list[tuple[Course, Gave]] = []
    for combination in product(*arms):
        found += _combine(combination, collect, stops, is_narrow)
        if len(found) > MOST_COURSES:
            raise Undetermined
    return found


def _combine(
    arms: tuple[Course, ...], collect: bool, stops: bool, is_narrow: bool
) -> list[tuple[Course, Gave]]:
    bails = [index for index, arm in enumerate(arms) if isinstance(arm.outcome, Bail)]
    fails = [index for index, arm in enumerate(arms) if isinstance(arm.outcome, Fail)]
    if not bails and (collect or not fails):
        gave = [_collected(arm.outcome) for arm in arms]
        return [(_merge(arms, Ok(0)), gave)]
    found: list[tuple[Course, Gave]] = []
    for index in bails:
        rest = [arm if i == index else arm.cut_off() for i, arm in enumerate(arms)]
        found.append((_merge(rest, arms[index].outcome), None))
    asked = any(arm.asks for arm in arms)
    for index in () if collect else fails:

        def finishes(i: int, index: int = index) -> bool:
            if i == index:
                return True
            if arms[i].asks or i in bails or (is_narrow and asked):
                return False
            return i < fails[0] or not stops

        rest = [arm if finishes(i) else arm.cut_off() for i, arm in enumerate(arms)]
        if not stops and not is_narrow and not all(arms[i].rests for i in fails):
            asking = [list(arm.must)[-1] for arm in arms if arm.needs]
            rest[0] = replace(rest[0], never=rest[0].never.union(asking))
        found.append((_merge(rest, arms[index].outcome), None))
    return found


def _collected(outcome: Outcome) -> int | StepFailure:
    if isinstance(outcome, Fail):
        return StepFailure(outcome.path, outcome.type, "")
    return outcome.value


def _merge(arms: Sequence[Course], outcome: Outcome) -> Course:
    merged = Course(Ok(0))
    for arm in arms:
        merged = merged.then(arm)
    asking = sum(arm.order != () for arm in arms)
    return replace(merged, outcome=outcome, order=merged.order if asking <= 1 else None)
