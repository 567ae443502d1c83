"""Secrets in a library's runs: masked in texts, sealed in values, and read back as they were."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import pytest
from pydantic import BaseModel, Field, SecretStr

from wrkflw_tui import (
    RetryPolicy,
    SecretNotFound,
    StepContext,
    StepFailure,
    UnstorableValue,
    WorkflowFailed,
    WorkflowSuspended,
    create_workflow,
    secret,
    step,
)
from wrkflw_tui.engine.masking import Masker, forms_of, is_telling, known, mask, shown
from wrkflw_tui.engine.schema import Schema
from wrkflw_tui.engine.sealing import opened, seal
from wrkflw_tui.testing import step_context
from wrkflw_tui.worker.lines import LONGEST, LineReader
from wrkflw_tui.worker.marks import frame

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from wrkflw_tui import WorkflowStorage

TOKEN = "tok_3f9aQ7-ZZpassion"
KEY = '-----BEGIN KEY-----\nQUJD"REVG\\R0hJ/é\n-----END KEY-----'


@pytest.fixture(autouse=True)
def nothing_known() -> Generator[None]:
    known.clear()
    yield
    known.clear()


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TOKEN", TOKEN)
    return TOKEN


def in_file(file: Path, text: str) -> bool:
    """Tell whether the bytes of the record hold a text."""
    found = [part for part in file.parent.iterdir() if part.is_file()]
    return any(text.encode() in part.read_bytes() for part in found)


class Login(BaseModel):
    header: str
    user: str


@step
def login(user: str) -> Login:
    return Login(header=f"Bearer {secret('TOKEN')}", user=user)


@step
def use(given: Login) -> str:
    return f"{given.user} used {given.header}"


log_in = (
    create_workflow(id="log-in", input_schema=str, output_schema=str).then(login).then(use).commit()
)


async def test_a_run_gives_the_value_and_its_record_does_not_show_it(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    run = log_in.create_run(storage=storage)
    assert await run.start("ada") == f"ada used Bearer {token}"
    snapshot = await run.snapshot()
    assert snapshot.result == "ada used Bearer ***"
    assert snapshot.step_results["login"].output == {"header": "Bearer ***", "user": "ada"}
    assert snapshot.step_results["use"].input == {"header": "Bearer ***", "user": "ada"}
    assert in_file(file, "ada used Bearer ***")
    assert not in_file(file, token)


async def test_a_fork_in_a_process_that_did_not_ask_for_it_yet_finds_it(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    run = log_in.create_run(storage=storage)
    await run.start("ada")
    known.clear()
    fork = await run.fork("use")
    assert await fork.start() == f"ada used Bearer {token}"
    assert not in_file(file, token)


@pytest.mark.parametrize(
    ("value", "said"),
    [("something-else", "has another value now"), ("", "put a line TOKEN=… into .env")],
)
async def test_a_value_that_is_gone_is_an_error(
    storage: WorkflowStorage, token: str, monkeypatch: pytest.MonkeyPatch, value: str, said: str
) -> None:
    run = log_in.create_run(storage=storage)
    await run.start("ada")
    known.clear()
    monkeypatch.setenv("TOKEN", value)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    fork = await run.fork("use")
    with pytest.raises(WorkflowFailed, match=said) as failed:
        await fork.start()
    assert isinstance(failed.value.__cause__, SecretNotFound)
    # It is there again: the run goes on.
    monkeypatch.setenv("TOKEN", token)
    known.clear()
    assert await fork.recover() == f"ada used Bearer {token}"


class Kept(BaseModel):
    token: str = ""
    other: str = ""


async def test_state_items_maps_and_what_a_step_looks_up_hold_it(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    @step
    def several(user: str, context: StepContext) -> list[str]:
        context.set_state(Kept(token=secret("TOKEN"), other=user))
        return [user, secret("TOKEN"), f"<{token}>"]

    @step
    def shout(text: str, context: StepContext) -> str:
        assert context.get_state(Kept).token == token
        assert context.get_step_result(several)[1] == token
        return f"{text}!"

    flow = (
        create_workflow(id="all", input_schema=str, output_schema=str, state_schema=Kept)
        .then(several)
        .foreach(shout)
        .map(" ".join, output_schema=str)
        .commit()
    )
    run = flow.create_run(storage=storage)
    assert await run.start("ada") == f"ada! {token}! <{token}>!"
    assert (await run.snapshot()).state == {"token": "***", "other": "ada"}
    assert not in_file(file, token)


async def test_errors_progress_and_collected_failures_are_masked(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    @step(retry=RetryPolicy(max_attempts=2, initial_delay=timedelta(0)))
    def fail(user: str, context: StepContext) -> str:
        context.report_progress(1, 2, f"with {secret('TOKEN')}")
        raise RuntimeError(f"{user}: {token} was refused")

    @step
    def handle(failure: StepFailure) -> str:
        return failure.message

    flow = create_workflow(id="fails", input_schema=str, output_schema=str)
    run = flow.then(fail, recover=handle).commit().create_run(storage=storage)
    assert await run.start("ada") == "ada: *** was refused"
    error = (await run.snapshot()).step_results["fail"].error
    assert error is not None
    assert error.message == "ada: *** was refused"
    assert not in_file(file, token)


async def test_questions_and_answers_hold_it(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    class Choice(BaseModel):
        use: str = token

    @step
    def ask(user: str, context: StepContext) -> str:
        token = secret("TOKEN")
        return context.suspend(Choice, reason=f"Use {token}?", payload=[token]).use

    flow = create_workflow(id="asks", input_schema=str, output_schema=str).then(ask).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowSuspended, match=r"Use \*\*\*\?"):
        await run.start("ada")
    [question] = (await run.snapshot()).questions
    assert (question.reason, question.payload) == ("Use ***?", ["***"])
    assert "default" not in json.dumps(question.schema)
    assert await run.resume({"use": token}) == token
    assert not in_file(file, token)


async def test_an_input_that_is_given_a_secret_is_read_back(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    @step
    def once(text: str) -> str:
        if not known.needles:
            raise RuntimeError("not asked for yet")
        return text[::-1]

    flow = create_workflow(id="given", input_schema=str, output_schema=str).then(once).commit()
    run = flow.create_run(storage=storage)
    await run.start(secret("TOKEN"))
    known.clear()
    again = await flow.get_run(run.run_id, storage=storage)
    assert (await again.snapshot()).input_data == "***"
    fork = await again.fork("once")
    assert await fork.start() == token[::-1]
    assert not in_file(file, token)


async def test_an_answer_that_is_one_is_checked_as_it_is(
    storage: WorkflowStorage, file: Path, token: str
) -> None:
    class Pin(BaseModel):
        pin: Annotated[int, Field(lt=10_000_000)]
        token: Annotated[str, Field(max_length=len(TOKEN))]

    @step
    def ask(user: str, context: StepContext) -> str:
        given = context.suspend(Pin, reason="Which?")
        return f"{given.pin} {given.token}"

    known.add("PIN", "4471823")
    flow = create_workflow(id="asks-pin", input_schema=str, output_schema=str).then(ask).commit()
    run = flow.create_run(storage=storage)
    with pytest.raises(WorkflowSuspended):
        await run.start("ada")
    assert await run.resume(Pin(pin=4471823, token=secret("TOKEN"))) == f"4471823 {token}"
    assert not in_file(file, token)
    assert not in_file(file, "4471823")


def test_a_state_that_a_test_gives_a_step_stays_as_it_is(token: str) -> None:
    @step
    def work(user: str, context: StepContext) -> str:
        return context.get_state(Kept).token

    secret("TOKEN")
    context = step_context(work, state=Kept(token=token))
    assert context.get_state(Kept).token == token


async def test_a_pydantic_secret_is_refused_with_what_to_do(storage: WorkflowStorage) -> None:
    class Given(BaseModel):
        password: SecretStr

    @step
    def make(user: str) -> Given:
        return Given(password=SecretStr(user))

    flow = create_workflow(id="hides", input_schema=str, output_schema=Given).then(make).commit()
    with pytest.raises(WorkflowFailed, match=r"Pydantic hides it.*secret\(NAME\)"):
        await flow.create_run(storage=storage).start("hunter22")


def test_nobody_can_write_what_would_read_as_a_secret_without_knowing_it(token: str) -> None:
    known.add("TOKEN", token)
    sealed = seal(json.dumps(token))
    assert shown(sealed) == '"***"'
    assert json.loads(opened(sealed)) == token
    hashed = sealed.split(":")[2][:12]
    with pytest.raises(SecretNotFound, match="another value"):
        opened(sealed.replace(hashed, "0" * 12))
    # What a step got hold of from a record is not taken for the secret either.
    with pytest.raises(UnstorableValue, match="stands for a secret"):
        Schema[str](str).store(json.loads(sealed))


JSON_VALUES = [
    TOKEN,
    f"x {TOKEN} {TOKEN}",
    KEY,
    KEY.splitlines()[1],
    json.dumps({"key": KEY}),
    base64.b64encode(f"user:{TOKEN}".encode()).decode(),
    "a\\n" + TOKEN,
    4471823,
    -144718239,
    {"4471823": [4471823, "4471823", TOKEN]},
    {TOKEN: KEY, "other": None},
    "nothing of it",
]


@pytest.mark.parametrize("value", JSON_VALUES, ids=str)
def test_any_json_is_sealed_and_opened_as_it_was(value: object) -> None:
    known.add_all({"TOKEN": TOKEN, "KEY": KEY, "PIN": "4471823", "odd name/é": "odd-value-é"})
    for ascii in (True, False):
        text = json.dumps(value, ensure_ascii=ascii)
        sealed = seal(text)
        assert TOKEN not in sealed
        assert "4471823" not in sealed
        assert json.loads(opened(sealed)) == value
        # It may go through a program that reads and writes JSON.
        assert json.loads(opened(json.dumps(json.loads(sealed)))) == value
    assert "nothing" in str(value) or json.loads(shown(seal(json.dumps(value)))) != value


@pytest.mark.parametrize("value", ["", "a", "abc", "true", "FALSE", "localhost", "8080", "65535"])
def test_short_and_common_values_are_let_through(value: str) -> None:
    assert not is_telling(value)
    assert forms_of(value) == {}
    assert Masker({"NAME": value}).mask(f"it is {value} here") == f"it is {value} here"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Masker({"A": "secret", "B": "secret-and-more"}).mask("secret-and-more") == "***"


@pytest.mark.parametrize("before", [b"", b"user:", b"a", b"ab", b"abc"])
def test_base64_is_masked_wherever_the_secret_begins_in_it(before: bytes) -> None:
    text = base64.b64encode(before + TOKEN.encode() + b"!").decode()
    masked = Masker({"TOKEN": TOKEN}).mask(text)
    assert "***" in masked
    assert len(masked.replace("***", "")) <= len(before) * 4 / 3 + 6


def test_what_is_left_of_a_secret_around_a_cut_is_masked() -> None:
    known.add("TOKEN", "abcdefghijklmnopqrstuvwxyz0123456789")
    assert mask("is 'abcdefgh...3456789', x") == "is '***...***', x"
    assert mask("and so on... abc") == "and so on... abc"


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_secret_that_comes_in_pieces_is_masked(size: int) -> None:
    half = len(TOKEN) // 2
    framed = [frame("5eed", "a", 1, half), TOKEN[:half].encode()]
    framed += [frame("5eed", "a", 2, half + 1), f"{TOKEN[half:]}\n".encode()]
    data = f"raw {TOKEN} of a child\n".encode() + b"".join(framed)
    reader = LineReader("stdout", "5eed", Masker({"TOKEN": TOKEN}))
    said = [part for at in range(0, len(data), size) for part in reader.feed(data[at : at + size])]
    lines = [line for stretch in [*said, *reader.close()] for line in stretch.lines]
    assert lines == ["raw *** of a child", "***"]


def test_a_line_that_is_too_long_is_not_cut_inside_a_secret() -> None:
    for before in range(LONGEST - 40, LONGEST + 5, 3):
        reader = LineReader("stdout", "5eed", Masker({"TOKEN": TOKEN}))
        data = b"x" * before + TOKEN.encode() + b"y" * 50
        said = [*reader.feed(data), *reader.feed(b"z\n"), *reader.close()]
        text = "".join(line for stretch in said for line in stretch.lines)
        assert text == "x" * before + "***" + "y" * 50 + "z"
