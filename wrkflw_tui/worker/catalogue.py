"""What is in the folder: looked at again when a file changes, in a process that may die."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from wrkflw_tui.engine.masking import Masker
from wrkflw_tui.engine.terms import PlannedSchedule, ScheduleTerms
from wrkflw_tui.envfile import EnvFileError, read_env_file
from wrkflw_tui.schedules.following import follow_file
from wrkflw_tui.schedules.pointers import local_zone
from wrkflw_tui.store import catalog
from wrkflw_tui.store.catalog import AutomationFile, CatalogEntry
from wrkflw_tui.store.schedules import set_gone
from wrkflw_tui.worker.command import Tail
from wrkflw_tui.worker.folder import SETTINGS, is_known, scan
from wrkflw_tui.worker.process import exit_code
from wrkflw_tui.worker.settings_file import take_settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path

    from wrkflw_tui.store.database import Database

FILE_TIMEOUT = 10.0
"""Seconds that the import of one file may take."""
TAKEN = "is already used by"
OUTPUT_KEPT = 2000
"""Characters of what a file that died printed last that are shown with its error."""


@dataclass(frozen=True, slots=True)
class _Found:
    file: AutomationFile
    workflows: list[CatalogEntry]
    schedules: dict[str, list[PlannedSchedule]] = field(
        default_factory=dict[str, list[PlannedSchedule]]
    )
    """Those that stand in the file, by the workflow that they start."""


class Catalogue:
    """Keeps the catalogue on record in step with the folder."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._folder = folder
        self._database = database
        self._env: Mapping[str, str] | None = None
        """What `.env` held at the last look."""
        self.env_problem = ""
        """Why `.env` cannot be read."""
        self.env_warning = ""

    @property
    def env_said(self) -> str:
        """What a person should know of `.env`."""
        return self.env_problem or self.env_warning

    async def refresh(self) -> bool:
        """Look at the files that are new or changed. Returns whether there were any."""
        present = await asyncio.to_thread(scan, self._folder)
        known = {file.file: file for file in await self._database.read(catalog.list_files)}
        known = self._without_outdated(known, await self._read_env())
        gone = known.keys() - present.keys()
        for name in gone:
            await self._database.write(lambda c, name=name: _forget(c, name))
        changed = [
            name for name, file in present.items() if not self._is_known(file, known.get(name))
        ]
        if SETTINGS in gone or SETTINGS in changed:
            await take_settings(self._folder, present.get(SETTINGS), self._database)
        automations = [name for name in changed if name != SETTINGS]
        if automations:
            await self._look_at([present[name] for name in automations])
        if gone or changed:
            # The id that a file has to do without may be free now.
            twins = {name for name, file in known.items() if _is_twin(file)} - gone - set(changed)
            await self._look_at([present[name] for name in sorted(twins)])
        return bool(changed or gone)

    def _is_known(self, file: AutomationFile, known: AutomationFile | None) -> bool:
        return is_known(self._folder, file, known)

    async def _read_env(self) -> Mapping[str, str]:
        self.env_problem = self.env_warning = ""
        try:
            env = await asyncio.to_thread(read_env_file, self._folder)
        except EnvFileError as error:
            self.env_problem = str(error)
            return self._env or {}  # a run says so; the files are as they were
        self.env_warning = env.warning
        return env.values

    def _without_outdated(
        self, known: dict[str, AutomationFile], env: Mapping[str, str]
    ) -> dict[str, AutomationFile]:
        """Leave out what was looked at with another environment: a file may read it on import.

        What the worker before had is not known: then those that load are taken to load still.
        """
        before, self._env = self._env, env
        if before == env or (before is None and not env):
            return known
        kept = [file for file in known.values() if before is None and file.status == "ok"]
        outdated = {name: replace(file, status="loading") for name, file in known.items()}
        return outdated | {file.file: file for file in kept}

    async def _look_at(self, files: list[AutomationFile]) -> None:
        waiting = list(files)
        while waiting:
            found, died = await self._look_together(waiting)
            for one in found:
                await self._record(one)
            done = {one.file.file for one in found}
            waiting = [file for file in waiting if file.file not in done]
            if died is not None:
                await self._record(died)
                waiting = [file for file in waiting if file.file != died.file.file]

    async def _look_together(
        self, files: list[AutomationFile]
    ) -> tuple[list[_Found], _Found | None]:
        """Look at files in one process, up to the one that it dies of, if it does."""
        read_end, write_end = os.pipe()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "wrkflw_tui.worker.look",
            str(write_end),
            *[str(self._folder / file.file) for file in files],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(write_end,),
            cwd=self._folder,
            start_new_session=True,
        )
        os.close(write_end)
        env = dict(self._env or {})
        _say(process, json.dumps(env).encode() + b"\n")
        tail = Tail(OUTPUT_KEPT)
        reading = asyncio.create_task(tail.read(cast("asyncio.StreamReader", process.stdout)))
        try:
            found, at_work, reason = await _answers(read_end, {f.file: f for f in files})
            if not reason:
                # Its last answer is in; a process that lingers is not waited for.
                with suppress(TimeoutError):
                    await asyncio.wait_for(exit_code(process), 1)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = await exit_code(process)
            await asyncio.wait({reading}, timeout=1)
            reading.cancel()
        if at_work is None:
            # Nothing was at work: all answered, or the process could not even begin.
            missing = [file for file in files if file.file not in {f.file.file for f in found}]
            if not missing:
                return found, None
            at_work, reason = missing[0], "could not be looked at: no Python process could start"
        why = reason or f"ended the process that imported it (exit code {code})"
        return found, _broken(at_work, why, None, Masker(env).mask(tail.text))

    async def _record(self, found: _Found) -> None:
        mine = found.file.file

        def work(connection: sqlite3.Connection) -> None:
            taken = {
                entry.workflow_id: entry.file
                for entry in catalog.list_workflows(connection)
                if entry.file != mine
            }
            twins = [e.workflow_id for e in found.workflows if e.workflow_id in taken]
            if twins:
                why = f"the id {twins[0]!r} {TAKEN} {taken[twins[0]]}"
                broken = _broken(found.file, why, None, "")
                catalog.record_file(connection, broken.file, [])
                return
            catalog.record_file(connection, found.file, found.workflows)
            # A file that cannot be read says nothing of its schedules: they stay as they are.
            if found.file.status == "ok":
                follow_file(connection, mine, found.schedules, int(time.time()), local_zone())

        await self._database.write(work)


def _say(process: asyncio.subprocess.Process, words: bytes) -> None:
    """Write to its standard input, which stays open: it ends with that line."""
    assert process.stdin is not None
    process.stdin.write(words)


def _forget(connection: sqlite3.Connection, file: str) -> None:
    catalog.forget_file(connection, file)
    set_gone(connection, file, ())


def _is_twin(file: AutomationFile) -> bool:
    return file.status == "broken" and TAKEN in (file.error or "")


async def _answers(
    descriptor: int, files: dict[str, AutomationFile]
) -> tuple[list[_Found], AutomationFile | None, str]:
    """Read answers until the process ends or a file takes too long."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    found: list[_Found] = []
    at_work: AutomationFile | None = None
    try:
        while True:
            try:
                line = await asyncio.wait_for(reader.readline(), FILE_TIMEOUT)
            except TimeoutError:
                return found, at_work, f"took longer than {FILE_TIMEOUT:g} s to import"
            if not line.endswith(b"\n"):
                return found, at_work, ""
            answer = cast("dict[str, object]", json.loads(line))
            if "begin" in answer:
                at_work = replace(files[str(answer["begin"])], imports=str(answer["imports"]))
            elif at_work is not None:
                found.append(_found(at_work, answer))
                at_work = None
                if len(found) == len(files):
                    return found, None, ""
    finally:
        transport.close()


def _found(file: AutomationFile, answer: dict[str, object]) -> _Found:
    if "error" in answer:
        line = cast("int | None", answer["line"])
        return _broken(file, str(answer["error"]), line, str(answer["traceback"]))
    workflows = cast("list[dict[str, object]]", answer["workflows"])
    entries = [
        CatalogEntry(
            workflow_id=str(item["workflow_id"]),
            file=file.file,
            description=str(item["description"]),
            tags=tuple(cast("list[str]", item["tags"])),
            input_schema=str(item["input_schema"]),
            output_schema=str(item["output_schema"]),
            graph=str(item["graph"]),
            steps_total=cast("int", item["steps_total"]),
            definition_hash=str(item["definition_hash"]),
            max_concurrent_runs=cast("int | None", item["max_concurrent_runs"]),
        )
        for item in workflows
    ]
    schedules = {
        str(item["workflow_id"]): [
            _planned(one) for one in cast("list[dict[str, Any]]", item["schedules"])
        ]
        for item in workflows
    }
    return _Found(file, entries, schedules)


def _planned(item: dict[str, Any]) -> PlannedSchedule:
    terms: dict[str, Any] = {**item["terms"], "exclude": tuple(item["terms"]["exclude"])}
    return PlannedSchedule(item["name"], ScheduleTerms(**terms), item["input"])


def _broken(file: AutomationFile, error: str, line: int | None, trace: str) -> _Found:
    broken = replace(file, status="broken", error=error, line=line, traceback=trace or None)
    return _Found(broken, [])
