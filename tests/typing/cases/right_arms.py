"""Every number of arms, each with an output of its own: must pass both checkers."""

from typing import assert_type

from wrkflw_tui import StepFailure, WorkflowBuilder, create_workflow, step


class A: ...


class B: ...


class C: ...


class D: ...


class E: ...


class F: ...


class G: ...


class H: ...


N = StepFailure


@step
def a(value: int) -> A:
    return A()


@step
def b(value: int) -> B:
    return B()


@step
def c(value: int) -> C:
    return C()


@step
def d(value: int) -> D:
    return D()


@step
def e(value: int) -> E:
    return E()


@step
def f(value: int) -> F:
    return F()


@step
def g(value: int) -> G:
    return G()


@step
def h(value: int) -> H:
    return H()


def holds(value: int) -> bool:
    return value > 0


hand = create_workflow(id="w", input_schema=int, output_schema=str)
assert_type(hand.parallel(a, b), WorkflowBuilder[int, tuple[A, B], str])
assert_type(hand.parallel(a, b, c), WorkflowBuilder[int, tuple[A, B, C], str])
assert_type(hand.parallel(a, b, c, d), WorkflowBuilder[int, tuple[A, B, C, D], str])
assert_type(hand.parallel(a, b, c, d, e), WorkflowBuilder[int, tuple[A, B, C, D, E], str])
assert_type(hand.parallel(a, b, c, d, e, f), WorkflowBuilder[int, tuple[A, B, C, D, E, F], str])
assert_type(
    hand.parallel(a, b, c, d, e, f, g),
    WorkflowBuilder[int, tuple[A, B, C, D, E, F, G], str],
)
assert_type(
    hand.parallel(a, b, c, d, e, f, g, h),
    WorkflowBuilder[int, tuple[A, B, C, D, E, F, G, H], str],
)

assert_type(hand.parallel(a, b, on_error="collect"), WorkflowBuilder[int, tuple[A | N, B | N], str])
assert_type(
    hand.parallel(a, b, c, on_error="collect"),
    WorkflowBuilder[int, tuple[A | N, B | N, C | N], str],
)
assert_type(
    hand.parallel(a, b, c, d, on_error="collect"),
    WorkflowBuilder[int, tuple[A | N, B | N, C | N, D | N], str],
)
assert_type(
    hand.parallel(a, b, c, d, e, on_error="collect"),
    WorkflowBuilder[int, tuple[A | N, B | N, C | N, D | N, E | N], str],
)
assert_type(
    hand.parallel(a, b, c, d, e, f, on_error="collect"),
    WorkflowBuilder[int, tuple[A | N, B | N, C | N, D | N, E | N, F | N], str],
)
assert_type(
    hand.parallel(a, b, c, d, e, f, g, on_error="collect"),
    WorkflowBuilder[int, tuple[A | N, B | N, C | N, D | N, E | N, F | N, G | N], str],
)
assert_type(
    hand.parallel(a, b, c, d, e, f, g, h, on_error="collect"),
    WorkflowBuilder[int, tuple[A | N, B | N, C | N, D | N, E | N, F | N, G | N, H | N], str],
)

assert_type(hand.branch((holds, a)), WorkflowBuilder[int, A, str])
assert_type(hand.branch((holds, a), (holds, b)), WorkflowBuilder[int, A | B, str])
assert_type(hand.branch((holds, a), (holds, b), (holds, c)), WorkflowBuilder[int, A | B | C, str])
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d)),
    WorkflowBuilder[int, A | B | C | D, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d), (holds, e)),
    WorkflowBuilder[int, A | B | C | D | E, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d), (holds, e), (holds, f)),
    WorkflowBuilder[int, A | B | C | D | E | F, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d), (holds, e), (holds, f), (holds, g)),
    WorkflowBuilder[int, A | B | C | D | E | F | G, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d),
        (holds, e), (holds, f), (holds, g), (holds, h)),
    WorkflowBuilder[int, A | B | C | D | E | F | G | H, str],
)

assert_type(hand.branch((holds, a), otherwise=h), WorkflowBuilder[int, A | H, str])
assert_type(hand.branch((holds, a), (holds, b), otherwise=h), WorkflowBuilder[int, A | B | H, str])
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), otherwise=h),
    WorkflowBuilder[int, A | B | C | H, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d), otherwise=h),
    WorkflowBuilder[int, A | B | C | D | H, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d), (holds, e), otherwise=h),
    WorkflowBuilder[int, A | B | C | D | E | H, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d),
        (holds, e), (holds, f), otherwise=h),
    WorkflowBuilder[int, A | B | C | D | E | F | H, str],
)
assert_type(
    hand.branch((holds, a), (holds, b), (holds, c), (holds, d),
        (holds, e), (holds, f), (holds, g), otherwise=h),
    WorkflowBuilder[int, A | B | C | D | E | F | G | H, str],
)

assert_type(hand.branch_all((holds, a)), WorkflowBuilder[int, dict[str, A], str])
assert_type(hand.branch_all((holds, a), (holds, b)), WorkflowBuilder[int, dict[str, A | B], str])
assert_type(
    hand.branch_all((holds, a), (holds, b), (holds, c)),
    WorkflowBuilder[int, dict[str, A | B | C], str],
)
assert_type(
    hand.branch_all((holds, a), (holds, b), (holds, c), (holds, d)),
    WorkflowBuilder[int, dict[str, A | B | C | D], str],
)
assert_type(
    hand.branch_all((holds, a), (holds, b), (holds, c), (holds, d), (holds, e)),
    WorkflowBuilder[int, dict[str, A | B | C | D | E], str],
)
assert_type(
    hand.branch_all((holds, a), (holds, b), (holds, c), (holds, d), (holds, e), (holds, f)),
    WorkflowBuilder[int, dict[str, A | B | C | D | E | F], str],
)
assert_type(
    hand.branch_all((holds, a), (holds, b), (holds, c), (holds, d),
        (holds, e), (holds, f), (holds, g)),
    WorkflowBuilder[int, dict[str, A | B | C | D | E | F | G], str],
)
assert_type(
    hand.branch_all((holds, a), (holds, b), (holds, c), (holds, d),
        (holds, e), (holds, f), (holds, g), (holds, h)),
    WorkflowBuilder[int, dict[str, A | B | C | D | E | F | G | H], str],
)
