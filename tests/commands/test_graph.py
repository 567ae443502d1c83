"""`wrkflw-tui graph` as it is called, over a folder and over a record."""

from __future__ import annotations

import asyncio
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from tui import record

from wrkflw_tui.cli import main
from wrkflw_tui.store import graphs
from wrkflw_tui.store.database import Database
from wrkflw_tui.store.file import closing_connection, transaction
from wrkflw_tui.worker.catalogue import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., tuple[int, str, str]]

FLOW = """
from wrkflw_tui import create_workflow, step

@step(id="{step}")
def work(value: int) -> int:
    return value

def twice(value: int) -> int:
    return value * 2

flow = (
    create_workflow(id="double-all", input_schema=int, output_schema=int, description="Doubles.")
    .then(work).map(twice).commit()
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "automations"
    path.mkdir()
    (path / "flow.py").write_text(FLOW.format(step="count"))
    return path


@pytest.fixture
def call(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "60")

    def run(*arguments: str) -> tuple[int, str, str]:
        places = ["--folder", str(folder), "--database", str(tmp_path / "wrkflw.db")]
        code = main(["graph", *arguments, *places])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def ids(tmp_path: Path) -> dict[str, str]:
    return record.build(tmp_path / "wrkflw.db")


DRAWN = """\
double-all  Doubles.

○ count
│
○ map-1  map
"""


def test_a_folder_that_nobody_has_looked_at_is_looked_at(call: Call, tmp_path: Path) -> None:
    assert call("double-all") == (0, DRAWN, "")
    assert not (tmp_path / "wrkflw.db").exists()


def test_a_catalogue_that_is_fresh_is_believed(
    call: Call, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look() -> None:
        database = Database(tmp_path / "wrkflw.db")
        await Catalogue(folder, database).refresh()
        await database.close()

    asyncio.run(look())
    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "refresh", None)
        assert call("double-all") == (0, DRAWN, "")
    (folder / "flow.py").write_text(FLOW.format(step="count-again"))
    assert call("double-all") == (0, DRAWN.replace("count", "count-again"), "")


def test_mermaid_is_nothing_but_the_chart(call: Call) -> None:
    code, said, _ = call("double-all", "--mermaid")
    assert code == 0
    assert said == dedent("""\
        flowchart TD
            n1["count"]
            n2("map-1")
            n1 --> n2
        """)


def test_a_run_is_drawn_by_its_id_or_a_part_of_it(
    call: Call, tmp_path: Path, ids: dict[str, str]
) -> None:
    live = ids["live"]
    with closing_connection(tmp_path / "wrkflw.db") as connection, transaction(connection):
        connection.execute(
            "UPDATE wrkflw_workflow_runs SET graph_id = ? WHERE run_id = ?",
            (graphs.keep(connection, record.BACKUP_GRAPH), live),
        )
    code, said, _ = call(live)
    title, *lines = said.splitlines()
    assert code == 0
    assert title.startswith("backup-photos  ● running ")
    assert lines[1] == "  ✓ list-new  0.8s"
    assert lines[3].startswith("┌─● copy-all  ")
    assert "● copy  34/54 12 MB" in lines[6]
    assert call(live[-6:])[1].splitlines()[2] == "  ✓ list-new  0.8s"
    assert "class n1,n3 good" in call(live, "--mermaid")[1]


def test_a_run_that_nobody_has_begun_is_drawn_as_the_catalogue_has_it(
    call: Call, ids: dict[str, str]
) -> None:
    code, said, _ = call(ids["queued"])
    assert code == 0
    assert said.startswith("morning-digest  ○ queued  ")
    assert said.endswith("\n\n○ fetch\n│\n○ summarise\n│\n○ send\n")


def test_a_part_of_several_ids_names_them(call: Call, ids: dict[str, str]) -> None:
    code, said, error = call(ids["live"][:8])
    assert (code, said) == (2, "")
    assert f"{ids['live']} (backup-photos)" in error
    assert "and more" in error


def test_an_unknown_id_names_what_is_near(call: Call, folder: Path) -> None:
    (folder / "broken.py").write_text("import nothing_like_it")
    code, said, error = call("duoble-al")
    assert (code, said) == (2, "")
    assert error == (
        "wrkflw-tui: there is no workflow and no run 'duoble-al'; near it are double-all"
        " (broken.py cannot be read: see `wrkflw-tui check`)\n"
    )
    assert "the workflows in" in call("zzz")[2]
    (folder / "flow.py").unlink()
    assert "no workflow in" in call("double-all")[2]
    assert call("")[0] == 2


def test_the_width_is_kept(call: Call) -> None:
    code, said, _ = call("double-all", "--width", "12")
    assert code == 0
    assert max(map(len, said.splitlines())) <= 12
    with pytest.raises(SystemExit) as wrong:
        call("double-all", "--width", "0")
    assert wrong.value.code == 2
