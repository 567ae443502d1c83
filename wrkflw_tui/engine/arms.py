"""The builder's methods that take arms: one signature for each number of arms.

Overloads, because a type checker joins the arms' outputs to `object` where it gets them as one
variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

from wrkflw_tui.engine.builder_base import BuilderBase, Prev, WIn, WOut
from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.nodes import BranchNode, ParallelNode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wrkflw_tui.engine.builder import WorkflowBuilder
    from wrkflw_tui.engine.models import StepFailure
    from wrkflw_tui.engine.runnable import Runnable

P = TypeVar("P")
N = TypeVar("N")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
H = TypeVar("H")

Arm: TypeAlias = "Runnable[P, N]"
Case: TypeAlias = "tuple[Callable[[P], bool], Runnable[P, N]]"
OrFailure: TypeAlias = "N | StepFailure"


class ArmsBuilder(BuilderBase[WIn, Prev, WOut]):
    """The part of the builder that leads into several steps at once."""

    # fmt: off
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], /, *, limit: int | None = None,
        on_error: Literal["fail"] = "fail", id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], /, *, limit: int | None = None,
        on_error: Literal["fail"] = "fail", id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B, C], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D], /, *,
        limit: int | None = None, on_error: Literal["fail"] = "fail", id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B, C, D], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], /, *, limit: int | None = None, on_error: Literal["fail"] = "fail",
        id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B, C, D, E], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], f: Arm[Prev, F], /, *, limit: int | None = None,
        on_error: Literal["fail"] = "fail", id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B, C, D, E, F], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], f: Arm[Prev, F], g: Arm[Prev, G], /, *, limit: int | None = None,
        on_error: Literal["fail"] = "fail", id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B, C, D, E, F, G], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], f: Arm[Prev, F], g: Arm[Prev, G], h: Arm[Prev, H], /, *,
        limit: int | None = None, on_error: Literal["fail"] = "fail", id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[A, B, C, D, E, F, G, H], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], /, *, limit: int | None = None,
        on_error: Literal["collect"], id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[OrFailure[A], OrFailure[B]], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], /, *, limit: int | None = None,
        on_error: Literal["collect"], id: str | None = None
    ) -> WorkflowBuilder[WIn, tuple[OrFailure[A], OrFailure[B], OrFailure[C]], WOut]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D], /, *,
        limit: int | None = None, on_error: Literal["collect"], id: str | None = None
    ) -> WorkflowBuilder[
        WIn, tuple[OrFailure[A], OrFailure[B], OrFailure[C], OrFailure[D]], WOut
    ]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], /, *, limit: int | None = None, on_error: Literal["collect"],
        id: str | None = None
    ) -> WorkflowBuilder[
        WIn, tuple[OrFailure[A], OrFailure[B], OrFailure[C], OrFailure[D], OrFailure[E]], WOut
    ]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], f: Arm[Prev, F], /, *, limit: int | None = None,
        on_error: Literal["collect"], id: str | None = None
    ) -> WorkflowBuilder[
        WIn, tuple[OrFailure[A], OrFailure[B], OrFailure[C], OrFailure[D], OrFailure[E],
        OrFailure[F]], WOut
    ]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], f: Arm[Prev, F], g: Arm[Prev, G], /, *, limit: int | None = None,
        on_error: Literal["collect"], id: str | None = None
    ) -> WorkflowBuilder[
        WIn, tuple[OrFailure[A], OrFailure[B], OrFailure[C], OrFailure[D], OrFailure[E],
        OrFailure[F], OrFailure[G]], WOut
    ]: ...
    @overload
    def parallel(
        self, a: Arm[Prev, A], b: Arm[Prev, B], c: Arm[Prev, C], d: Arm[Prev, D],
        e: Arm[Prev, E], f: Arm[Prev, F], g: Arm[Prev, G], h: Arm[Prev, H], /, *,
        limit: int | None = None, on_error: Literal["collect"], id: str | None = None
    ) -> WorkflowBuilder[
        WIn, tuple[OrFailure[A], OrFailure[B], OrFailure[C], OrFailure[D], OrFailure[E],
        OrFailure[F], OrFailure[G], OrFailure[H]], WOut
    ]: ...
    # fmt: on
    def parallel(
        self,
        *arms: Runnable[Any, Any],
        limit: int | None = None,
        on_error: Literal["fail", "collect"] = "fail",
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Give all arms the value in hand, and go on with a tuple of their outputs.

        At most `limit` arms are at work. Where one fails the others finish; with
        `on_error="collect"` a `StepFailure` stands where an output is missing.
        """
        return self._add_parallel(arms, limit, on_error == "collect", id)

    # fmt: off
    @overload
    def branch(
        self, a: Case[Prev, A], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, A, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D], /, *,
        id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E | F, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], g: Case[Prev, G], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E | F | G, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], g: Case[Prev, G], h: Case[Prev, H], /, *,
        id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E | F | G | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], /, *, otherwise: Arm[Prev, H], id: str | None = None
    ) -> WorkflowBuilder[WIn, A | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], /, *, otherwise: Arm[Prev, H],
        id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], /, *,
        otherwise: Arm[Prev, H], id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D], /, *,
        otherwise: Arm[Prev, H], id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], /, *, otherwise: Arm[Prev, H], id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], /, *, otherwise: Arm[Prev, H], id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E | F | H, WOut]: ...
    @overload
    def branch(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], g: Case[Prev, G], /, *, otherwise: Arm[Prev, H],
        id: str | None = None
    ) -> WorkflowBuilder[WIn, A | B | C | D | E | F | G | H, WOut]: ...
    # fmt: on
    def branch(
        self,
        *cases: tuple[Callable[..., bool], Runnable[Any, Any]],
        otherwise: Runnable[Any, Any] | None = None,
        id: str | None = None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Take the first arm whose condition on the value in hand holds, else `otherwise`.

        The decision is recorded and never taken again. Where no condition holds and there is no
        `otherwise`, the run fails and says so.
        """
        return self._add_branch("branch", cases, otherwise, id)

    # fmt: off
    @overload
    def branch_all(
        self, a: Case[Prev, A], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B | C], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D], /, *,
        id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B | C | D], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B | C | D | E], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B | C | D | E | F], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], g: Case[Prev, G], /, *, id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B | C | D | E | F | G], WOut]: ...
    @overload
    def branch_all(
        self, a: Case[Prev, A], b: Case[Prev, B], c: Case[Prev, C], d: Case[Prev, D],
        e: Case[Prev, E], f: Case[Prev, F], g: Case[Prev, G], h: Case[Prev, H], /, *,
        id: str | None = None
    ) -> WorkflowBuilder[WIn, dict[str, A | B | C | D | E | F | G | H], WOut]: ...
    # fmt: on
    def branch_all(
        self, *cases: tuple[Callable[..., bool], Runnable[Any, Any]], id: str | None = None
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        """Take every arm whose condition on the value in hand holds, all together.

        Goes on with their outputs by id; where none holds, with an empty dict.
        """
        return self._add_branch("branch-all", cases, None, id)

    def _add_parallel(
        self, arms: Sequence[Runnable[Any, Any]], limit: int | None, collects: bool, id: str | None
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count("parallel")
        if not arms:
            raise DefinitionError(f"workflow {self._id!r}: {id} has no arm")
        if limit is not None:
            self._positive(limit, "limit")
        bodies = tuple(self._body(arm, ".parallel()") for arm in arms)
        return self._add(ParallelNode(id, bodies, limit, collects))

    def _add_branch(
        self,
        kind: str,
        cases: Sequence[tuple[Callable[..., bool], Runnable[Any, Any]]],
        otherwise: Runnable[Any, Any] | None,
        id: str | None,
    ) -> WorkflowBuilder[WIn, Any, WOut]:
        id = id or self._count(kind)
        if not cases:
            raise DefinitionError(f"workflow {self._id!r}: {id} has no arm")
        what = f".{kind.replace('-', '_')}()"
        arms = tuple((self._condition(c, id), self._body(arm, what)) for c, arm in cases)
        last = None if otherwise is None else self._body(otherwise, what)
        return self._add(BranchNode(id, arms, last, kind == "branch-all"))
