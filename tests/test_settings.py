"""What `wrkflw.toml` may say, and what a person is told who wrote it wrongly."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from wrkflw_tui.settings import FollowUp, SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_without_the_file_has_no_settings(tmp_path: Path) -> None:
    of = load_settings(tmp_path).of("any")
    assert (of.keep_runs, of.keep_for, of.on_failure) == (None, None, None)


def test_a_workflow_says_more_than_all_setting_by_setting(tmp_path: Path) -> None:
    (tmp_path / "wrkflw.toml").write_text(
        """
[all]
keep_for = "90d"
on_failure = [{ notify = true }]

[workflow.backup]
keep_runs = 30
on_failure = [{ command = ["./call.sh", "me"] }, { webhook = "http://127.0.0.1:1/x" }]
on_success = []
"""
    )
    settings = load_settings(tmp_path)
    assert settings.of("other").on_failure == (FollowUp(notify=True),)
    backup = settings.of("backup")
    assert (backup.keep_runs, backup.keep_for) == (30, timedelta(days=90))
    assert backup.on_failure == (
        FollowUp(command=("./call.sh", "me")),
        FollowUp(webhook="http://127.0.0.1:1/x"),
    )
    assert backup.on_success == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[all\n", "wrkflw.toml cannot be read"),
        ("[everything]\n", r"everything: .* \(known are all, workflow\)"),
        ("[all]\nkeep = 3\n", r"all\.keep: .* \(known are keep_runs, keep_for, on_failure"),
        ("[all]\nkeep_runs = 0\n", r"all\.keep_runs: .* greater than or equal to 1"),
        ('[all]\nkeep_for = "soon"\n', r"all\.keep_for: .*'soon' cannot be read"),
        ("[all]\non_failure = [{}]\n", "give one of notify, command, webhook, workflow"),
        (
            '[all]\non_failure = [{ notify = true, workflow = "x" }]\n',
            "give one of notify, command, webhook, workflow",
        ),
        ('[all]\non_success = [{ webhook = "ftp://x" }]\n', r"all\.on_success\.0\.webhook"),
        ('[workflow.a]\non_success = [{ mail = "x" }]\n', r"mail: .* \(known are notify, command"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "wrkflw.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        load_settings(tmp_path)
