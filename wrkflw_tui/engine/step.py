"""A step: one typed function, called on record."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable
from copy import copy
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, get_type_hints, overload

from pydantic import TypeAdapter

from wrkflw_tui.engine.context import StepContext
from wrkflw_tui.engine.errors import DefinitionError
from wrkflw_tui.engine.runnable import In, Out, Runnable, check_id
from wrkflw_tui.engine.threads import call_on_thread

if TYPE_CHECKING:
    from datetime import timedelta

    from wrkflw_tui.engine.retry import RetryPolicy

I = TypeVar("I")  # noqa: E741 - the invariant twins of In and Out
O = TypeVar("O")  # noqa: E741

AsyncFunction: TypeAlias = Callable[[I], Awaitable[O]] | Callable[[I, StepContext], Awaitable[O]]
SyncFunction: TypeAlias = Callable[[I], O] | Callable[[I, StepContext], O]
TypeOf: TypeAlias = type[I] | TypeAdapter[I]


class Step(Runnable[In, Out]):
    """One typed function that the engine calls, records and tries again by its policy.

    Awaiting a call of the step runs the plain function, without an engine.
    """

    def __init__(
        self,
        function: Callable[..., object],
        id: str,
        description: str,
        input_schema: object,
        output_schema: object,
        retry: RetryPolicy | None,
        timeout: timedelta | None,
    ) -> None:
        super().__init__(id, description, input_schema, output_schema, retry, timeout)
        self.function = function
        self.wants_context = takes_context(function, f"step {id!r}")
        self.is_async = is_coroutine_function(function)
        self.__doc__ = function.__doc__

    async def __call__(self, input_data: In, context: StepContext | None = None) -> Out:
        """Run the plain function. A step that takes a context must be given one."""
        if self.wants_context and context is None:
            raise TypeError(f"step {self.id!r} takes a StepContext as its second argument")
        arguments = (input_data, context) if self.wants_context else (input_data,)
        if self.is_async:
            return await cast("Awaitable[Out]", self.function(*arguments))
        return cast("Out", await call_on_thread(self.function, *arguments))

    def with_id(self, id: str) -> Step[In, Out]:
        """Return a second use of this step under another id."""
        check_id(id)
        twin = copy(self)
        twin.id = id
        return twin

    def __repr__(self) -> str:
        return f"<Step {self.id}: {self.input_schema} -> {self.output_schema}>"


def takes_context(function: Callable[..., object], what: str) -> bool:
    """Tell whether `function` requires a second positional argument.

    Raises `DefinitionError` where it takes none at all, or requires more than two.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return False  # a builtin that does not say: it gets the value alone
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p for p in positional if p.default is p.empty]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if keyword or len(required) > 2 or not (positional or variadic):
        raise DefinitionError(
            f"{what} must take its input, and a StepContext if it wants one; "
            f"{function_name(function)} takes {inspect.signature(function)}"
        )
    return len(required) == 2


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Tell whether calling `function`, or the object's `__call__`, gives a coroutine."""
    call = getattr(function, "__call__", None)  # noqa: B004 - its kind is asked, not whether it is there
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def function_name(function: Callable[..., object]) -> str:
    """Name a function for a person."""
    return getattr(function, "__qualname__", None) or repr(function)


def annotations_of(
    function: Callable[..., object], caller_locals: dict[str, object]
) -> dict[str, object]:
    """Resolve a function's annotations, strings too. Raises `DefinitionError`."""
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        return get_type_hints(target, localns=caller_locals, include_extras=True)
    except NameError as error:
        raise DefinitionError(
            f"the annotations of {function_name(function)} name {error.name!r}, which is not known "
            "where the function is defined"
        ) from error


def schemas_of(
    function: Callable[..., object], caller_locals: dict[str, object], what: str
) -> tuple[object, object]:
    """Read the input's and the output's type off a function's annotations."""
    hints = annotations_of(function, caller_locals)
    names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    where = f"{what}: {function_name(function)}"
    if not names:
        raise DefinitionError(f"{where} must take its input as its first parameter")
    if names[0] not in hints:
        raise DefinitionError(f"{where} needs a type on its parameter {names[0]!r}")
    if "return" not in hints:
        raise DefinitionError(f"{where} needs a return type, as in '-> Report'")
    return hints[names[0]], hints["return"]


@overload
def step(function: AsyncFunction[I, O], /) -> Step[I, O]: ...
@overload
def step(function: SyncFunction[I, O], /) -> Step[I, O]: ...
@overload
def step(
    *,
    id: str | None = None,
    description: str | None = None,
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> _StepDecorator: ...
def step(
    function: Callable[..., object] | None = None,
    /,
    *,
    id: str | None = None,
    description: str | None = None,
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> Step[Any, Any] | _StepDecorator:
    """Make a step of a function; both schemas are read off its annotations.

    The id is the function's name with hyphens, the docstring the description. Raises
    `DefinitionError` where an annotation is missing.
    """
    caller_locals = dict(sys._getframe(1).f_locals)  # pyright: ignore[reportPrivateUsage] - how typing's own helpers find local names
    decorator = _StepDecorator(id, description, retry, timeout, caller_locals)
    return decorator if function is None else decorator.make(function)


class _StepDecorator:
    """What `@step(...)` gives: takes the function, returns the step."""

    def __init__(
        self,
        id: str | None,
        description: str | None,
        retry: RetryPolicy | None,
        timeout: timedelta | None,
        caller_locals: dict[str, object],
    ) -> None:
        self._id = id
        self._description = description
        self._retry = retry
        self._timeout = timeout
        self._locals = caller_locals

    @overload
    def __call__(self, function: AsyncFunction[I, O], /) -> Step[I, O]: ...
    @overload
    def __call__(self, function: SyncFunction[I, O], /) -> Step[I, O]: ...
    def __call__(self, function: Callable[..., object], /) -> Step[Any, Any]:
        """Make the step."""
        return self.make(function)

    def make(self, function: Callable[..., object]) -> Step[Any, Any]:
        """Make the step, without the types that the overloads give."""
        name = getattr(function, "__name__", type(function).__name__)
        id = self._id or name.strip("_").replace("_", "-")
        input_schema, output_schema = schemas_of(function, self._locals, "@step")
        description = self._description or inspect.getdoc(function) or ""
        return Step(
            function, id, description, input_schema, output_schema, self._retry, self._timeout
        )


@overload
def create_step(
    *,
    id: str,
    input_schema: TypeOf[I],
    output_schema: TypeOf[O],
    execute: AsyncFunction[I, O] | SyncFunction[I, O],
    description: str = "",
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> Step[I, O]: ...
@overload
def create_step(
    *,
    id: str,
    input_schema: None,
    output_schema: TypeOf[O],
    execute: AsyncFunction[None, O] | SyncFunction[None, O],
    description: str = "",
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> Step[None, O]: ...
@overload
def create_step(
    *,
    id: str,
    input_schema: TypeOf[I],
    output_schema: None,
    execute: AsyncFunction[I, None] | SyncFunction[I, None],
    description: str = "",
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> Step[I, None]: ...
@overload
def create_step(
    *,
    id: str,
    input_schema: None,
    output_schema: None,
    execute: AsyncFunction[None, None] | SyncFunction[None, None],
    description: str = "",
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> Step[None, None]: ...
def create_step(
    *,
    id: str,
    input_schema: object,
    output_schema: object,
    execute: Callable[..., object],
    description: str = "",
    retry: RetryPolicy | None = None,
    timeout: timedelta | None = None,
) -> Step[Any, Any]:
    """Make a step from its parts. A schema is a type, a `TypeAdapter`, or `None`."""
    return Step(execute, id, description, input_schema, output_schema, retry, timeout)
