"""Write one user a welcome mail and send it.

With `SMTP_HOST` set the mail goes to that server (and `SMTP_PORT`, `SMTP_USER`, `SMTP_PASSWORD`,
`SMTP_FROM`, `SMTP_STARTTLS` say how). Without it the mail is put into a maildir, which any mail
program can open, so that the automation can be tried without a server.
"""

import mailbox
import os
import smtplib
import sqlite3
import ssl
from contextlib import closing
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, Field

from wrkflw_tui import GiveUp, RetryPolicy, StepContext, create_workflow, step

DATA = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "wrkflw-tui" / "email-campaign"
SMTP_TIMEOUT = 30.0
SMTPS_PORT = 465

SAMPLE_USERS = """
    BEGIN;
    CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
    INSERT OR IGNORE INTO users VALUES
        ('1', 'Ada Lovelace', 'ada@example.org'),
        ('2', 'Grace Hopper', 'grace@example.org'),
        ('3', 'Alan Turing', 'alan@example.org'),
        ('4', 'Barbara Liskov', 'barbara@example.org'),
        ('5', 'Edsger Dijkstra', 'edsger@example.org'),
        ('6', 'Radia Perlman', 'radia@example.org'),
        ('7', 'Donald Knuth', 'donald@example.org');
    COMMIT;
"""


class UserId(BaseModel):
    """Whom to write to."""

    user_id: str = Field(default="1", min_length=1, description="Id of the user to write to.")
    folder: Path = Field(
        default=DATA,
        description="Folder with users.db, made with sample users if it is not there.",
    )


class User(BaseModel):
    """A person as the database has them."""

    name: str
    email: str


class Email(BaseModel):
    """A mail that is ready to go."""

    email: str
    subject: str
    body: str


class Receipt(BaseModel):
    """What became of the mail."""

    sent: bool
    message_id: str
    to: str
    via: str
    """The server, or the folder of the maildir."""


class MailServer(BaseModel):
    """Where mail is handed in."""

    host: str
    port: int
    user: str
    password: str = Field(repr=False)
    starttls: bool


@step
def fetch_user(request: UserId) -> User:
    """Look the user up in the database."""
    file = request.folder.expanduser() / "users.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        add_sample_users(database)
        found: tuple[str, str] | None = database.execute(
            "SELECT name, email FROM users WHERE id = ?", (request.user_id,)
        ).fetchone()
        if found is None:
            ids = ", ".join(str(id) for (id,) in database.execute("SELECT id FROM users LIMIT 50"))
            raise GiveUp(f"there is no user {request.user_id!r} in {file}; the ids are: {ids}")
    name, email = found
    return User(name=name, email=email)


def add_sample_users(database: sqlite3.Connection) -> None:
    """Make the table where there is none; a table of one's own is left as it is."""
    has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'users'"
    if database.execute(has_table).fetchone() is None:
        database.executescript(SAMPLE_USERS)


def to_letter(user: User) -> Email:
    """Write the mail."""
    return Email(
        email=user.email,
        subject=f"Hello {user.name}!",
        body=f"Welcome to our service, {user.name}!\n",
    )


# SMTP's own errors are OSErrors too: whatever the network or the server does is tried again.
@step(retry=RetryPolicy(max_attempts=4, initial_delay=timedelta(seconds=1), retry_on=(OSError,)))
def send_email(email: Email, context: StepContext) -> Receipt:
    """Hand the mail to the server, or put it into the maildir where none is configured."""
    # Every attempt sends the same Message-ID, so a retry cannot become a second mail.
    message_id = f"<{uuid5(NAMESPACE_URL, context.idempotency_key)}@wrkflw-tui>"
    message = to_message(email, message_id)
    server = configured_server()
    if server is not None:
        send_by_smtp(server, message)
        via = f"{server.host}:{server.port}"
    else:
        folder = context.get_init_data(UserId).folder.expanduser() / "maildir"
        put_into_maildir(folder, message)
        via = str(folder)
    context.log.info("%s to %s through %s", message_id, email.email, via)
    return Receipt(sent=True, message_id=message_id, to=email.email, via=via)


def to_message(email: Email, message_id: str) -> EmailMessage:
    """Make the mail that goes over the wire."""
    message = EmailMessage()
    sender = os.environ.get("SMTP_FROM") or os.environ.get("SMTP_USER")
    message["From"] = sender or "wrkflw-tui@localhost"
    message["To"] = email.email
    message["Subject"] = email.subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = message_id
    message.set_content(email.body)
    return message


def configured_server() -> MailServer | None:
    """Read the server off the environment; `None` where there is none."""
    host = os.environ.get("SMTP_HOST")
    if not host:
        return None
    user = os.environ.get("SMTP_USER", "")
    # A password is not sent in clear unless that is asked for.
    starttls = os.environ.get("SMTP_STARTTLS") or ("yes" if user else "no")
    try:
        port = int(os.environ.get("SMTP_PORT") or (587 if user else 25))
    except ValueError as error:
        raise GiveUp(f"SMTP_PORT must be a number, not {os.environ['SMTP_PORT']!r}") from error
    return MailServer(
        host=host,
        port=port,
        user=user,
        password=os.environ.get("SMTP_PASSWORD", ""),
        starttls=starttls.lower() in ("1", "yes", "true", "on") and port != SMTPS_PORT,
    )


def send_by_smtp(server: MailServer, message: EmailMessage) -> None:
    """Send one mail. Raises `GiveUp` where the server's answer is final."""
    try:
        with connect(server) as client:
            if server.starttls:
                client.starttls(context=ssl.create_default_context())
            if server.user:
                client.login(server.user, server.password)
            client.send_message(message)
    except smtplib.SMTPNotSupportedError as error:
        raise GiveUp(f"{server.host} cannot do what is asked of it: {error}") from error
    except smtplib.SMTPException as error:
        if is_final(error):
            raise GiveUp(f"{server.host} refused the mail for good: {error}") from error
        raise


def connect(server: MailServer) -> smtplib.SMTP:
    """Open the connection, encrypted from the start on the port that asks for it."""
    if server.port == SMTPS_PORT:
        tls = ssl.create_default_context()
        return smtplib.SMTP_SSL(server.host, server.port, timeout=SMTP_TIMEOUT, context=tls)
    return smtplib.SMTP(server.host, server.port, timeout=SMTP_TIMEOUT)


def is_final(error: smtplib.SMTPException) -> bool:
    """Tell a refusal for good (a 5xx answer) from one that is worth another try (4xx)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500


def put_into_maildir(folder: Path, message: EmailMessage) -> None:
    """Add the mail unless it is there already: an attempt may have died after adding it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    box = mailbox.Maildir(folder)
    if all(known["Message-ID"] != message["Message-ID"] for known in box):
        box.add(message)


email_campaign = (
    create_workflow(
        id="email-campaign",
        description="Write one user a welcome mail and send it.",
        input_schema=UserId,
        output_schema=Receipt,
        tags=("mail",),
    )
    .then(fetch_user)
    .map(to_letter, id="generate-email")
    .then(send_email)
    .commit()
)
