"""Labelled pairs in the layouts of usual data sets, and bad rows among them."""

import json

import numpy as np
import pytest

from dedup.errors import InputRefused, UsageError
from dedup.runtime.progress import no_progress
from indexer.ingest.labelled_pairs import Wanted, read_pairs, read_texts
from indexer.reading.open import ReadOptions
from indexer.reading.rejects import RejectsList


def read(*files, options=ReadOptions(), **wanted):  # noqa: B008 - frozen
    rejects, said = RejectsList(), []
    found = read_pairs([str(file) for file in files], Wanted(**wanted), options, rejects.add, no_progress, said.append)
    return found, rejects.rows, said


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


SNLI = [("entailment", "A dog runs.", "An animal runs."), ("-", "A dog runs.", "It rains."),
        ("contradiction", "A dog runs.", "No dog moves."), ("neutral", "A cat sits.", "A cat is old.")]  # fmt: skip
SNLI_HEADER = "gold_label\tsentence1_binary_parse\tsentence1\tsentence2\tcaptionID\tpairID\tlabel1"


def test_snli_as_jsonl_and_as_txt(tmp_path):
    lines = [json.dumps({"annotator_labels": [gold], "captionID": "1.jpg#4", "gold_label": gold, "pairID": "1.jpg#4r1e",
                         "sentence1": one, "sentence1_parse": "(ROOT x)", "sentence2": two})
             for gold, one, two in SNLI]  # fmt: skip
    as_json = write(tmp_path / "snli.jsonl", "\n".join(lines) + "\n")
    rows = [f"{gold}\t( {one} )\t{one}\t{two}\t1.jpg\t1r\t{gold}" for gold, one, two in SNLI]
    as_text = write(tmp_path / "snli.txt", "\n".join([SNLI_HEADER, *rows]) + "\n")
    for file in (as_json, as_text):
        found, rejects, said = read(file)
        assert (found.left, found.right) == (["a dog runs", "a dog runs", "a cat sits"],
                                             ["an animal runs", "no dog moves", "a cat is old"])  # fmt: skip
        assert found.labels == "classes" and found.classes == ("contradiction", "entailment", "neutral")
        assert found.positive.tolist() == [True, False, False] and not rejects
        assert any("1 pairs without a label (-) are left out" in line for line in said)


def test_qqp(tmp_path):
    rows = ['"0"\t"1"\t"2"\t"Is it ""so""?"\t"Is it so?"\t"1"', '"1"\t"3"\t"4"\t"How old?"\t"Where?"\t"0"']
    file = write(tmp_path / "qqp.tsv", "\n".join(["id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate", *rows]) + "\n")
    found, _, _ = read(file)
    assert (found.left, found.right, found.targets.tolist()) == (["is it so", "how old"], ["is it so", "where"], [1, 0])


def test_anli(tmp_path):
    lines = [json.dumps({"uid": str(at), "context": f"Context {at}", "hypothesis": f"Claim {at}", "label": label,
                         "model_label": "c", "reason": "because"}) for at, label in enumerate("enc")]  # fmt: skip
    found, _, _ = read(write(tmp_path / "train.jsonl", "\n".join(lines) + "\n"))
    assert found.classes == ("contradiction", "entailment", "neutral")
    assert found.left[0] == "context 0" and found.right[0] == "claim 0" and found.positive.tolist() == [1, 0, 0]


def test_sts_without_a_header(tmp_path):
    texts = [f'A "man number {at} is here.\tSomebody {at} stands there.' for at in range(4)]
    scores = ["5.000", "3.800", "0.0", "2.6"]
    rows = [f"main-captions\tMSRvid\t2012test\t{at:04}\t{scores[at]}\t{texts[at]}" for at in range(4)]
    file = write(tmp_path / "sts-train.csv", "\n".join(rows) + "\n")
    found, rejects, _ = read(file, options=ReadOptions(header=False, quote="", delimiter="\t"))
    assert not rejects and found.labels == "graded"
    assert np.allclose(found.targets, [1.0, 0.76, 0.0, 0.52])
    assert found.left[0] == "a man number 0 is here" and found.positive.tolist() == [True, True, False, False]


def test_columns_are_found_by_values_or_named(tmp_path):
    file = write(tmp_path / "x.csv", "u,v,w\nAcme Works,Acme Work,1\nBeta Bank,Gamma Foods,0\n")
    assert read(file)[0].left == ["acme works", "beta bank"]
    assert read(file, first="v", second="u")[0].left == ["acme work", "gamma foods"]
    with pytest.raises(InputRefused, match="no column 'x'"):
        read(file, label="x")
    two = write(tmp_path / "two.csv", "name_1,name_2,same,label\nA b,A c,1,0\nD e,D f,0,1\n")
    assert read(two)[0].targets.tolist() == [0, 1]
    assert read(two, label="same")[0].targets.tolist() == [1, 0]
    for content, code in (("a,b\nx y,z w\n", "E_NO_LABEL_COLUMN"), ("name\nAcme\n", "E_NO_TEXT_COLUMN")):
        with pytest.raises(InputRefused) as error:
            read(write(tmp_path / "bad.csv", content))
        assert error.value.code == code


def test_bad_rows_are_rejected_one_by_one(tmp_path):
    good = "".join(f"Acme {at},Acme no {at},{at % 2}\n" for at in range(200))
    bad = "Acme,Acme\nAcme,...,1\nNULL,Acme,1\nAcme,Acme Inc,maybe\nAcme,Acme Inc,\n"
    file = write(tmp_path / "x.csv", "name_1,name_2,label\n" + good + bad)
    found, rejects, _ = read(file)
    assert len(found) == 200
    assert [one.error for one in rejects] == [
        "E_MISSING_CELL",
        "E_NAME_EMPTY",
        "E_NAME_PLACEHOLDER",
        "E_LABEL",
        "E_LABEL",
    ]
    assert [one.line for one in rejects] == [202, 203, 204, 205, 206]
    with pytest.raises(InputRefused) as error:
        read(file, max_reject_rate=0.01)
    assert error.value.code == "E_TOO_MANY_REJECTS"
    with pytest.raises(InputRefused):
        read(write(tmp_path / "y.csv", "name_1,name_2,label\n...,b,1\n"))


def test_several_files_of_different_layouts_are_read_together(tmp_path):
    one = write(tmp_path / "one.csv", "name_1,name_2,label\nAcme,Acme Inc,1\nBeta,Gamma,0\n")
    two = write(tmp_path / "two.jsonl", '{"question1": "A b", "question2": "C d", "is_duplicate": false}\n')
    assert read(one, two)[0].targets.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0", "1", "1"], "binary"), (["true", "False", "TRUE"], "binary"), (["same", "different", "1.0"], "binary"),
        (["0", "1", "2"], "classes"), (["0", "1", "2", "3", "4", "5"], "graded"), (["0", "2.5", "5"], "graded"),
        (["e", "n", "c"], "classes"), (["red", "green"], "classes"), (["0", "7", "9", "12"], "classes"),
    ],
)  # fmt: skip
def test_the_kind_of_labels_is_judged_by_their_values(values, kind, tmp_path):
    rows = "".join(f"Acme {at},Works {at},{value}\n" for at, value in enumerate(values))
    file = write(tmp_path / "x.csv", "name_1,name_2,label\n" + rows)
    assert read(file)[0].labels == kind
    assert read(file, labels="classes")[0].labels == "classes"


def test_classes_that_count_as_the_same_are_named(tmp_path):
    file = write(tmp_path / "x.csv", "name_1,name_2,label\nAcme,Works,0\nBeta,Foods,1\nGamma,Bank,2\n")
    assert read(file)[0].positive.tolist() == [False, False, False]
    assert read(file, same=["0"])[0].positive.tolist() == [True, False, False]
    with pytest.raises(UsageError, match="--same '7' is none of the classes 0, 1, 2"):
        read(file, same=["7"])


def test_texts_of_a_corpus_are_read_once_each(tmp_path):
    file = write(tmp_path / "names.csv", "id,name\n1,Acme\n2,ACME\n3,...\n4,Beta\n")
    rejects = RejectsList()
    assert read_texts(str(file), ReadOptions(), rejects.add, Wanted(), no_progress, lambda _: None) == ["acme", "beta"]
    assert [one.error for one in rejects.rows] == ["E_NAME_EMPTY"]
