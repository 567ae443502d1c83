"""Secrets under a real worker: given to each run as it starts, and nowhere in the file."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import file_keyring
import pytest

from wrkflw_tui.cli import main

if TYPE_CHECKING:
    from worker.harness import Bench

TOKEN = "tok_3f9aQ7-ZZpassion"
KEY = '-----BEGIN KEY-----\nQUJD"REVG\\R0hJ\n-----END KEY-----'


def write_env(bench: Bench, text: str, mode: int = 0o600) -> Path:
    path = bench.folder / ".env"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


def assert_not_in_the_file(bench: Bench, *secrets: str) -> None:
    """Look through the bytes of all that the record is made of."""
    files = [file for file in bench.place.glob("wrkflw.db*") if file.is_file()]
    assert bench.database in files
    for file in files:
        data = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in data, f"{secret!r} is in {file.name}"


def wait_line(bench: Bench, run_id: str, line: str) -> list[str]:
    """Wait until a run's last line is on record; return all of that stream."""
    bench.until(lambda: line in bench.lines(run_id), f"the line {line!r}")
    return bench.lines(run_id)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keyring in a file, for this process and the workers that it starts."""
    tests = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), tests]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", file_keyring.NAME)
    monkeypatch.setenv(file_keyring.VARIABLE, str(tmp_path / "keyring.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "keyring.json"


def put(keyring: Path, name: str, value: str) -> None:
    known = json.loads(keyring.read_text("utf-8")) if keyring.exists() else {}
    keyring.write_text(json.dumps({**known, f"wrkflw-tui/{name}": value}), "utf-8")


SAYS = """
    import base64, json, urllib.parse

    CHILD = (
        "import os, sys; token = os.environ['TOKEN']; out = sys.stdout;"
        "out.write('child ' + token[:7]); out.flush(); out.write(token[7:] + ' end' + chr(10));"
        "sys.stderr.write(repr({'token': token}) + chr(10))"
    )

    @step
    def work(value: int, context: StepContext) -> int:
        token, key = os.environ["TOKEN"], os.environ["KEY"]
        print("plain", token)
        for part in ("split ", token[:3], token[3:9], token[9:], "\\n"):
            sys.stdout.write(part)
            sys.stdout.flush()
        print(key)
        print(json.dumps({"key": key}))
        print("basic", base64.b64encode(f"user:{token}".encode()).decode())
        print("address", "https://host/?key=" + urllib.parse.quote(key))
        context.log.info("logged %s", token)
        os.write(1, f"raw {token}\\n".encode())
        subprocess.run([sys.executable, "-c", CHILD], check=True)
        context.report_progress(1, 2, f"with {token}")
        sys.stdout.write("last " + token)
        return value
"""


def test_what_a_run_prints_does_not_show_them(bench: Bench) -> None:
    write_env(bench, f"TOKEN={TOKEN}\nKEY='{KEY.replace(chr(92), chr(92) * 2)}'\n")
    bench.automation("job", SAYS)
    bench.worker()
    run_id = bench.enqueue("job")
    bench.wait(run_id)
    out, err = wait_line(bench, run_id, "last ***"), bench.lines(run_id, "stderr")
    for line in ("plain ***", "split ***", "raw ***", "child *** end", "last ***"):
        assert line in out
    assert "INFO logged ***" in err
    assert "{'token': '***'}" in err
    assert '{"key": "***"}' in out
    assert out.count("***") == 3  # the lines of the key
    basic = base64.b64encode(f"user:{TOKEN}".encode()).decode()
    assert_not_in_the_file(bench, TOKEN, *KEY.splitlines()[1:2], basic, basic[8:-4])


def test_a_secret_in_an_error_is_masked(bench: Bench) -> None:
    code = """
        class Wanted(BaseModel):
            number: int

        @step
        def work(value: int) -> int:
            try:
                Wanted(number="x" + os.environ["LONG"])
            except ValueError as error:
                raise RuntimeError(f"login with {os.environ['TOKEN']} failed") from error
    """
    long = "abcdefghijklmnopqrstuvwxyz" * 3 + "0123456789"
    write_env(bench, f"TOKEN={TOKEN}\nLONG={long}\n")
    bench.automation("job", code)
    bench.worker()
    error = bench.wait(bench.enqueue("job"), "failed").run.error
    assert error is not None
    assert error.message == "login with *** failed"
    assert error.cause is not None
    assert "input_value='x***...***'" in error.cause.message
    assert_not_in_the_file(bench, TOKEN, long, long[:12], long[-12:])


HANDS_ON = """
    class Login(BaseModel):
        token: str
        pin: int
        by_token: dict[str, str]

    @step
    def login(value: int) -> Login:
        token = os.environ["TOKEN"]
        note("logged in")
        return Login(token=f"Bearer {token}", pin=int(os.environ["PIN"]), by_token={token: "me"})

    @step
    def use(login: Login) -> Login:
        import hashlib
        note("using")
        wait_for("go")
        said = f"{login.token}|{login.pin}|{sorted(login.by_token)}"
        note("used " + hashlib.sha256(said.encode()).hexdigest()[:12])
        return login
"""
USED = digest(f"Bearer {TOKEN}|4471823|{[TOKEN]}")


def start_using(bench: Bench) -> str:
    write_env(bench, f"TOKEN={TOKEN}\nPIN=4471823\n")
    bench.automation("job", HANDS_ON, "login", "use", output="Login")
    run_id = bench.enqueue("job")
    bench.wait_note("using")
    return run_id


def test_an_output_is_not_in_the_file_and_is_handed_on_as_it_is(bench: Bench) -> None:
    bench.worker()
    run_id = start_using(bench)
    bench.touch("go")
    snapshot = bench.wait(run_id)
    assert bench.wait_note("used") == USED
    shown = {"token": "Bearer ***", "pin": "***", "by_token": {"***": "me"}}
    assert snapshot.result == shown
    assert snapshot.step_results["login"].output == shown
    assert snapshot.step_results["use"].input == shown
    assert_not_in_the_file(bench, TOKEN, "4471823")


def test_a_run_that_goes_on_in_another_process_gets_the_value(bench: Bench) -> None:
    worker = bench.worker()
    run_id = start_using(bench)
    worker.kill()
    bench.touch("go")
    bench.worker()
    bench.wait(run_id)
    assert bench.notes.count("logged in") == 1
    assert bench.wait_note("used") == USED
    assert_not_in_the_file(bench, TOKEN, "4471823")


def test_a_value_that_has_changed_since_is_an_error_not_another_value(bench: Bench) -> None:
    worker = bench.worker()
    run_id = start_using(bench)
    worker.kill()
    write_env(bench, "TOKEN=another-token\nPIN=4471823\n")
    bench.touch("go")
    bench.worker()
    error = bench.wait(run_id, "failed").run.error
    assert error is not None
    assert (error.type, error.path) == ("SecretNotFound", "use")
    assert "'TOKEN', which has another value now" in error.message


def test_a_change_is_taken_by_the_next_run_also_in_a_warm_process(bench: Bench) -> None:
    code = """
        import hashlib
        AT_IMPORT = os.environ.get("TOKEN", "")

        @step
        def work(value: int) -> int:
            values = os.environ.get("TOKEN", ""), AT_IMPORT
            note(" ".join(["has"] + [hashlib.sha256(v.encode()).hexdigest()[:12] for v in values]))
            return value
    """
    bench.automation("job", code)
    worker = bench.worker()
    for token in ("first-token", "second-token", ""):
        bench.until(worker.runners, "a warm runner")
        env = bench.folder / ".env"
        if token:
            write_env(bench, f"TOKEN={token}\n")
        else:
            env.unlink()
        bench.wait(bench.enqueue("job"))
        assert bench.wait_note("has") == f"{digest(token)} {digest(token)}"


def test_what_the_environment_has_holds_over_the_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "from-the-environment")
    code = """
        @step
        def work(value: int) -> int:
            print(os.environ["TOKEN"] == "from-the-" + "environment", os.environ["TOKEN"])
            return value
    """
    write_env(bench, "TOKEN=from-the-file\n")
    bench.automation("job", code)
    bench.worker()
    run_id = bench.enqueue("job")
    bench.wait(run_id)
    assert wait_line(bench, run_id, "True ***") == ["True ***"]


def test_a_broken_file_fails_the_run_and_names_the_line_but_no_value(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    write_env(bench, f"A=1\n\n\nTOKEN='{TOKEN}\n")
    bench.automation("job", "@step\ndef work(value: int) -> int:\n    return value")
    worker = bench.worker()
    error = bench.wait(bench.enqueue("job"), "failed").run.error
    assert error is not None
    assert error.type == "EnvFileError"
    assert ".env, line 4: it is not NAME=value" in error.message
    bench.wait_said(worker, ".env, line 4")
    assert_not_in_the_file(bench, TOKEN)
    assert TOKEN not in worker.said
    assert main(["check", "--folder", str(bench.folder)]) == 1
    assert "✗" in (said := capsys.readouterr().out)
    assert ".env, line 4" in said
    write_env(bench, f"TOKEN='{TOKEN}'\n")
    bench.wait(bench.enqueue("job"))


def test_a_file_that_others_can_read_is_used_with_a_warning(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    write_env(bench, f"TOKEN={TOKEN}\n", 0o644)
    bench.automation("job", "@step\ndef work(value: int) -> int:\n    print(os.environ['TOKEN'])\n"
                     "    return value")  # fmt: skip
    worker = bench.worker()
    run_id = bench.enqueue("job")
    bench.wait(run_id)
    assert wait_line(bench, run_id, "***") == ["***"]
    [warning] = bench.lines(run_id, "stderr")
    assert "is open to other users: chmod 600" in warning
    bench.wait_said(worker, "chmod 600")
    assert main(["check", "--folder", str(bench.folder)]) == 0
    assert "chmod 600" in capsys.readouterr().out


def test_the_catalogue_imports_with_it_and_again_when_it_changes(bench: Bench) -> None:
    code = """
        class Place(BaseModel):
            where: str = os.environ["WHERE"]

        @step
        def work(value: Place) -> int:
            return len(value.where)
    """
    bench.automation("job", code, input="Place")

    def status() -> tuple[object, ...]:
        return bench.rows("SELECT status, error FROM wrkflw_automation_files")[0]

    bench.worker()
    bench.until(lambda: bench.rows("SELECT 1 FROM wrkflw_automation_files"), "the file was seen")
    assert status() == ("broken", "KeyError: 'WHERE'")
    write_env(bench, "WHERE=under-the-doormat\n")
    bench.until(lambda: status() == ("ok", None), "it loads")
    assert bench.wait(bench.enqueue("job", "{}")).result == len("under-the-doormat")
    [(schema,)] = bench.rows("SELECT input_schema FROM wrkflw_workflows")
    assert "default" not in json.loads(str(schema))["properties"]["where"]
    assert_not_in_the_file(bench, "under-the-doormat")


FROM_KEYRING = """
    from wrkflw_tui import secret

    @step
    def login(value: int) -> str:
        token = secret("VAULT_TOKEN")
        print("got", token, flush=True)
        os.system(f"echo child {token}")
        note("logged in")
        return token

    @step
    def use(token: str) -> str:
        import hashlib
        wait_for("go")
        print("again", token)
        note("used " + hashlib.sha256(token.encode()).hexdigest()[:12])
        return token
"""


def test_a_secret_of_the_keyring_is_masked_and_found_again(bench: Bench, keyring: Path) -> None:
    put(keyring, "VAULT_TOKEN", TOKEN)
    bench.automation("job", FROM_KEYRING, "login", "use", output="str")
    worker = bench.worker()
    run_id = bench.enqueue("job")
    bench.wait_note("logged in")
    bench.until(lambda: bench.attempts(run_id)[-1][0] == "use", "the next step began")
    wait_line(bench, run_id, "child ***")
    worker.kill()
    bench.touch("go")
    bench.worker()
    assert bench.wait(run_id).result == "***"
    assert bench.wait_note("used") == digest(TOKEN)
    assert wait_line(bench, run_id, "again ***") == ["got ***", "child ***", "again ***"]
    assert_not_in_the_file(bench, TOKEN)


def test_a_secret_that_is_nowhere_says_where_to_put_it(bench: Bench, keyring: Path) -> None:
    bench.automation("job", FROM_KEYRING, "login", "use", output="str")
    bench.worker()
    error = bench.wait(bench.enqueue("job"), "failed").run.error
    assert error is not None
    assert (error.type, error.path) == ("SecretNotFound", "login")
    assert "VAULT_TOKEN=… into .env" in error.message
    assert "wrkflw-tui secrets set VAULT_TOKEN" in error.message


def test_a_state_and_an_answer_hold_secrets_too(bench: Bench) -> None:
    code = """
        class Kept(BaseModel):
            token: str = ""
            count: int = 0

        @step
        def work(value: int, context: StepContext) -> int:
            context.set_state(Kept(token=os.environ["TOKEN"], count=1))
            return value

        @step
        def ask(value: int, context: StepContext) -> str:
            token = context.get_state(Kept).token
            answer = context.suspend(str, reason=f"Use {token}?", payload={"token": token})
            note(f"same {token == os.environ['TOKEN']}")
            return answer + token
    """
    write_env(bench, f"TOKEN={TOKEN}\n")
    path = bench.automation("job", code, "work", "ask", output="str")
    path.write_text(
        path.read_text("utf-8").replace("output_schema=str", "output_schema=str, state_schema=Kept")
    )
    bench.worker()
    run_id = bench.enqueue("job")
    snapshot = bench.wait(run_id, "suspended")
    [question] = snapshot.questions
    assert (question.reason, question.payload) == ("Use ***?", {"token": "***"})
    assert snapshot.state == {"token": "***", "count": 1}
    answered = ["answer", run_id, '"yes "', "--folder", str(bench.folder)]
    assert main([*answered, "--database", str(bench.database)]) == 0
    assert bench.wait(run_id).result == "yes ***"
    assert bench.wait_note("same") == "True"
    assert_not_in_the_file(bench, TOKEN)
