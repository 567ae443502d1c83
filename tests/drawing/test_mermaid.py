from __future__ import annotations

from textwrap import dedent

import pytest
from drawing.graphs import (
    branch,
    foreach,
    loop,
    mapped,
    nodes,
    parallel,
    recover,
    sleep,
    step,
    wait,
    workflow,
)

from wrkflw_tui.drawing.mermaid import mermaid, quoted
from wrkflw_tui.drawing.state import State

A, B, C, D = map(step, "abcd")

CHARTS = {
    "leaves": (
        (A, mapped("map-1"), sleep("nap", 60), wait("wait", "paid", 60)),
        """
        n1["a"]
        n2("map-1")
        n1 --> n2
        n3(["nap<br/>sleep 1m"])
        n2 --> n3
        n4[/"wait<br/>wait for paid, at most 1m"/]
        n3 --> n4
        """,
    ),
    "parallel": (
        (parallel("both", A, workflow("flow", B, C)), D),
        """
        n1{{"both<br/>all at once"}}
        n2["a"]
        n1 --> n2
        subgraph s3["flow"]
            n4["b"]
            n5["c"]
            n4 --> n5
        end
        n1 --> n4
        n6["d"]
        n2 --> n6
        n5 --> n6
        """,
    ),
    "branch": (
        (branch("which", ("is_big", A), otherwise=B), C),
        """
        n1{"which<br/>the first arm that holds"}
        n2["a"]
        n1 -->|"is#95;big"| n2
        n3["b"]
        n1 -->|"otherwise"| n3
        n4["c"]
        n2 --> n4
        n3 --> n4
        """,
    ),
    "foreach": (
        (foreach("all", A, 4), B),
        """
        subgraph s1["all<br/>each item, 4 at a time"]
            n2["a"]
        end
        n3["b"]
        n2 --> n3
        """,
    ),
    "loop": (
        (loop("again", workflow("poll", A, B), "done", most=9), C),
        """
        subgraph s1["again<br/>until done, at most 9 times"]
            subgraph s2["poll"]
                n3["a"]
                n4["b"]
                n3 --> n4
            end
            n4 -->|"again until done"| n3
        end
        n5["c"]
        n4 --> n5
        """,
    ),
    "handlers": (
        (recover(A, B), recover(workflow("flow", C), D)),
        """
        n1["a"]
        n2["b"]
        n1 -. "if it fails" .-> n2
        subgraph s3["flow"]
            n4["c"]
        end
        n5["d"]
        s3 -. "if it fails" .-> n5
        n1 --> n4
        n2 --> n4
        """,
    ),
}


@pytest.mark.parametrize(("items", "wanted"), CHARTS.values(), ids=CHARTS)
def test_each_kind_has_its_text(items: tuple[dict[str, object], ...], wanted: str) -> None:
    lines = "".join(f"    {line}\n" for line in dedent(wanted).strip().splitlines())
    assert mermaid(nodes(*items)) == f"flowchart TD\n{lines}"


def test_a_run_gives_nodes_a_mark_and_a_look() -> None:
    chart = mermaid(nodes(A, B), {"a": State("failed", "failed 4.0s ×2")})
    assert 'n1["✗ a<br/>failed 4.0s ×2"]' in chart
    assert 'n2["○ b"]' in chart
    assert "class n1 bad" in chart
    assert "classDef bad fill:" in chart
    assert "class n2 muted" in chart


def test_a_label_is_nothing_but_text() -> None:
    assert quoted('say "hi"; <b>`x`</b> #1') == (
        "say #34;hi#34;#59; #60;b#62;#96;x#96;#60;/b#62; #35;1"
    )
    assert quoted("1. first") == "1#46; first"
    assert quoted("- first") == "#45; first"
    assert quoted("4/54, 1 failed") == "4/54, 1 failed"
    assert quoted("is it 是") == "is it 是"
