"""What an automation imports of its folder is known without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wrkflw_tui.worker.imports import local_imports

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "main.py": "import json, a\nfrom b import one\nfrom pkg import inner\nimport main\n",
    "a.py": "def late():\n    import c.d\n",
    "b.py": "import a\n",
    "c/__init__.py": "from . import e\n",
    "c/d.py": "from ..elsewhere import x\nfrom .e import y\n",
    "c/e.py": "y = (\n",
    "pkg/__init__.py": "",
    "pkg/inner.py": "import missing\n",
    "unused.py": "",
}


def test_imports_are_followed_into_packages_and_round_in_circles(tmp_path: Path) -> None:
    folder = tmp_path / "automations"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "elsewhere.py").write_text("")
    found = local_imports(folder / "main.py")
    assert {str(path.relative_to(folder)) for path in found} == FILES.keys() - {
        "main.py",
        "unused.py",
    }


def test_a_file_that_cannot_be_read_imports_nothing(tmp_path: Path) -> None:
    assert local_imports(tmp_path / "missing.py") == set()
    (tmp_path / "odd.py").write_bytes(b"import a\x00")
    assert local_imports(tmp_path / "odd.py") == set()
