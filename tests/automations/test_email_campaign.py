from __future__ import annotations

import mailbox
import shutil
import socket
import sqlite3
import ssl
import subprocess
from contextlib import closing
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from wrkflw_tui import GiveUp, WorkflowFailed
from wrkflw_tui.testing import step_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message
    from pathlib import Path
    from types import ModuleType

    from aiosmtpd.smtp import SMTP

    from wrkflw_tui import WorkflowStorage


@pytest.fixture
def campaign(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in ("HOST", "PORT", "USER", "PASSWORD", "FROM", "STARTTLS"):
        monkeypatch.delenv(f"SMTP_{name}", raising=False)
    return load("email_campaign")


class Postbox:
    """What a mail server got, and the answers that it is told to give instead of a yes."""

    def __init__(self) -> None:
        self.mails: list[Message] = []
        self.senders: list[str | None] = []
        self.recipient_answers: list[str] = []
        self.data_answers: list[str] = []
        self.logins: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - the names are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answers:
            return self.recipient_answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content))
        self.senders.append(envelope.mail_from)
        return self.data_answers.pop(0) if self.data_answers else "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def postbox(campaign: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """A real mail server, and the environment that names it."""
    box = Postbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("SMTP_PORT", str(controller.port))
    yield box
    controller.stop()


async def test_without_a_server_the_mail_is_in_the_maildir(
    campaign: ModuleType, storage: WorkflowStorage, home: Path
) -> None:
    run = campaign.email_campaign.create_run(storage=storage)
    receipt = await run.start(input_data=campaign.UserId(user_id="7"))

    folder = home / ".local/share/wrkflw-tui/email-campaign/maildir"
    [mail] = mailbox.Maildir(folder, create=False)
    assert receipt.sent
    assert receipt.via == str(folder)
    assert mail["To"] == receipt.to == "donald@example.org"
    assert mail["Subject"] == "Hello Donald Knuth!"
    assert mail["Message-ID"] == receipt.message_id
    assert "Welcome to our service, Donald Knuth!" in mail.get_payload()

    snapshot = await storage.load_snapshot(run.run_id)
    assert snapshot.status == "success"
    assert list(snapshot.step_results) == ["fetch-user", "generate-email", "send-email"]


async def test_it_starts_from_an_empty_form(campaign: ModuleType, storage: WorkflowStorage) -> None:
    receipt = await campaign.email_campaign.create_run(storage=storage).start({})
    assert receipt.to == "ada@example.org"


async def test_a_server_gets_the_mail(
    campaign: ModuleType,
    storage: WorkflowStorage,
    postbox: Postbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SMTP_FROM", "Us <hello@example.org>")
    run = campaign.email_campaign.create_run(storage=storage)
    receipt = await run.start(input_data=campaign.UserId(user_id="2"))

    [mail] = postbox.mails
    assert postbox.senders == ["hello@example.org"]
    assert mail["From"] == "Us <hello@example.org>"
    assert mail["To"] == "grace@example.org"
    assert mail["Message-ID"] == receipt.message_id
    assert receipt.via == f"127.0.0.1:{campaign.configured_server().port}"


async def test_a_refusal_for_now_is_tried_again_with_the_same_message_id(
    campaign: ModuleType, storage: WorkflowStorage, postbox: Postbox
) -> None:
    # The server had the mail when it said no: the worst case for a retry.
    postbox.data_answers = ["451 try again later"]
    run = campaign.email_campaign.create_run(storage=storage)
    receipt = await run.start(input_data=campaign.UserId(user_id="1"))

    first, second = postbox.mails
    assert first["Message-ID"] == second["Message-ID"] == receipt.message_id
    snapshot = await storage.load_snapshot(run.run_id)
    assert [a.status for a in snapshot.attempts("send-email")] == ["failed", "success"]
    assert [a.status for a in snapshot.attempts("fetch-user")] == ["success"]


@pytest.mark.parametrize("answers", ["recipient_answers", "data_answers"])
async def test_a_refusal_for_good_is_not_tried_again(
    campaign: ModuleType, storage: WorkflowStorage, postbox: Postbox, answers: str
) -> None:
    setattr(postbox, answers, ["550 no such person", "550 no such person"])
    run = campaign.email_campaign.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match="refused the mail for good") as failure:
        await run.start(input_data=campaign.UserId(user_id="1"))

    assert failure.value.path == "send-email"
    assert isinstance(failure.value.__cause__, GiveUp)
    assert len((await storage.load_snapshot(run.run_id)).attempts("send-email")) == 1


async def test_no_server_at_that_address_is_a_failure_that_is_retried(
    campaign: ModuleType,
    postbox: Postbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SMTP_PORT", str(free_port()))
    mail = campaign.Email(email="ada@example.org", subject="Hello", body="Hi")
    with pytest.raises(ConnectionRefusedError) as refusal:
        await campaign.send_email(mail, step_context(campaign.send_email))
    assert campaign.send_email.retry.retries(refusal.value, failures=1)


async def test_the_password_goes_over_an_encrypted_connection(
    campaign: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    box = Postbox()

    def check(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        assert session.ssl is not None
        box.logins.append(data.login + b":" + data.password)
        return AuthResult(success=data.password == b"secret", handled=False)

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=tls,
        require_starttls=True,
        authenticator=check,
        auth_required=True,
    )
    controller.start()
    try:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        monkeypatch.setenv("SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("SMTP_PORT", str(controller.port))
        monkeypatch.setenv("SMTP_USER", "me@example.org")
        monkeypatch.setenv("SMTP_PASSWORD", "secret")
        mail = campaign.Email(email="ada@example.org", subject="Hello", body="Hi")
        await campaign.send_email(mail, step_context(campaign.send_email))
        assert [m["From"] for m in box.mails] == ["me@example.org"]
        assert box.logins == [b"me@example.org:secret"]

        monkeypatch.setenv("SMTP_PASSWORD", "wrong")
        with pytest.raises(GiveUp, match="535"):
            await campaign.send_email(mail, step_context(campaign.send_email))
        assert len(box.mails) == 1
    finally:
        controller.stop()


def self_signed(folder: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
            f" -addext subjectAltName=IP:127.0.0.1 -keyout {key.name} -out {certificate.name}"
        ).split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return certificate, key


async def test_an_unknown_user_fails_for_good_and_names_the_known_ones(
    campaign: ModuleType, storage: WorkflowStorage
) -> None:
    run = campaign.email_campaign.create_run(storage=storage)
    with pytest.raises(WorkflowFailed, match=r"no user '99' .* 1, 2, 3, 4, 5, 6, 7") as failure:
        await run.start(input_data=campaign.UserId(user_id="99"))
    assert failure.value.path == "fetch-user"


async def test_a_database_of_ones_own_is_used_as_it_is(
    campaign: ModuleType, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "users.db")) as database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)")
        database.execute("INSERT INTO users VALUES (40, 'Zoë', 'zoe@example.org')")
        database.commit()

    user = await campaign.fetch_user(campaign.UserId(user_id="40", folder=tmp_path))
    assert user == campaign.User(name="Zoë", email="zoe@example.org")
    with pytest.raises(GiveUp, match=r"the ids are: 40$"):
        await campaign.fetch_user(campaign.UserId(user_id="1", folder=tmp_path))


async def test_an_attempt_that_died_after_the_mail_was_stored_leaves_one_mail(
    campaign: ModuleType,
    storage: WorkflowStorage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put = campaign.put_into_maildir
    attempts: list[Path] = []

    def put_then_break(folder: Path, message: object) -> None:
        put(folder, message)
        attempts.append(folder)
        if len(attempts) == 1:
            raise OSError("the disk went away")

    monkeypatch.setattr(campaign, "put_into_maildir", put_then_break)
    run = campaign.email_campaign.create_run(storage=storage)
    await run.start(input_data=campaign.UserId(user_id="1", folder=tmp_path))
    assert len(attempts) == 2
    assert len(mailbox.Maildir(tmp_path / "maildir", create=False)) == 1

    # Another run is another mail.
    await campaign.email_campaign.create_run(storage=storage).start(
        input_data=campaign.UserId(user_id="1", folder=tmp_path)
    )
    assert len(mailbox.Maildir(tmp_path / "maildir", create=False)) == 2


async def test_a_port_that_is_no_number_is_said_so(
    campaign: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_HOST", "mail.example.org")
    monkeypatch.setenv("SMTP_PORT", "smtp")
    mail = campaign.Email(email="ada@example.org", subject="Hello", body="Hi")
    with pytest.raises(GiveUp, match="SMTP_PORT must be a number, not 'smtp'"):
        await campaign.send_email(mail, step_context(campaign.send_email))


async def test_a_name_with_a_line_break_cannot_add_a_header(
    campaign: ModuleType, tmp_path: Path
) -> None:
    mail = campaign.to_letter(campaign.User(name="Eve\nBcc: all@example.org", email="e@e.org"))
    context = step_context(campaign.send_email, init_data=campaign.UserId(folder=tmp_path))
    with pytest.raises(ValueError, match="linefeed"):
        await campaign.send_email(mail, context)
