"""``dedup evaluate`` and ``dedup train``: the files they read and refuse."""

import pytest
from invocation import dedup_, write


def test_evaluate_reads_the_named_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    import dedup.evaluation.evaluate

    seen = {}
    monkeypatch.setattr(
        dedup.evaluation.evaluate, "evaluate_pairs", lambda model, *columns, **_: seen.update(pairs=columns) or {"n": 2}
    )
    monkeypatch.setattr(
        dedup.evaluation.evaluate,
        "evaluate_clusters",
        lambda model, *columns, **_: seen.update(clusters=columns) or {"n": 2},
    )
    write("pairs.csv", "label,name_2,name_1\n1,b,a\n0,d,c\n")
    write("clusters.csv", "id,text,cluster_id\n1,Acme,x\n2,Beta,y\n")
    write("others.csv", "id,name\n9,Gamma\n")
    assert dedup_("evaluate", "--pairs", "pairs.csv").stdout == "n  2\n"
    assert dedup_("evaluate", "--clusters", "clusters.csv", "--distractors", "others.csv").exit_code == 0
    assert seen == {
        "pairs": (["a", "c"], ["b", "d"], [1, 0]),
        "clusters": (["Acme", "Beta"], ["x", "y"], ["Gamma"]),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name_1,label\na,1\n", "'name_2'; it has 'name_1', 'label'"),
        ("left,name_2,label\na,b,1\n", "'name_1'; it has 'left', 'name_2', 'label'"),
        ("name_1,name_2,label\na,b,1\nc,d,maybe\n", "Line 3 of pairs.csv: the label is 'maybe'"),
        ("name_1,name_2,label\na,b\n", "Line 2 of pairs.csv"),
    ],
)
def test_evaluate_refuses_a_file_it_cannot_use(content: str, words: str) -> None:
    result = dedup_("evaluate", "--pairs", write("pairs.csv", content))
    assert result.exit_code == 4
    assert words in result.stderr
    assert "--text" not in result.stderr


def test_a_record_without_a_cluster_is_refused() -> None:
    write("truth.csv", "id,text,cluster_id\n1,Acme Inc,a\n2,Acme,\n")
    result = dedup_("evaluate", "--clusters", "truth.csv")
    assert result.exit_code == 4
    assert "Line 3 of truth.csv has no cluster_id" in result.stderr


def test_train_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = dedup_("train", "pairs.csv", "--preset", "word-rnn", "--output", "model")
    assert result.exit_code == 2
    assert "pip install 'neardup[train]'" in result.stderr
