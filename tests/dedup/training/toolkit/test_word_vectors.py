"""Pretrained word vectors: every format gives the same vectors, damage is told, and unknown words have a policy."""

import gzip
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dedup.encoder.token_reader import FIRST, UNKNOWN  # noqa: E402
from dedup.errors import InputRefused, UsageError  # noqa: E402
from dedup.training.architectures.embeddings import Embedding, Tokens, read_embeddings  # noqa: E402
from dedup.training.architectures.word_vectors import read_word_vectors  # noqa: E402

WORDS = {"granite": [0.5, -1.0, 2.0], "works": [1.0, 0.0, 0.25], "日立": [0.125, 3.0, -2.0], "Café": [1.0, 1.0, 1.0]}


def text(header):
    lines = [f"{word} {' '.join(map(str, values))} " for word, values in WORDS.items()]
    return "\n".join([*([f"{len(WORDS)} 3"] if header else []), *lines, ""]).encode()


def binary():
    rows = [word.encode() + b" " + np.array(values, "<f4").tobytes() + b"\n" for word, values in WORDS.items()]
    return f"{len(WORDS)} 3\n".encode() + b"".join(rows)


FORMATS = {"word2vec.txt": text(True), "glove.txt": text(False), "word2vec.bin": binary()}
FORMATS |= {f"{name}.gz": gzip.compress(content) for name, content in FORMATS.items()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_vectors(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMATS[name])
    vectors, dimension = read_word_vectors(path, None, 100)
    assert dimension == 3 and {*vectors} == {"granite", "works", "日立", "café"}
    assert vectors["works"].tolist() == WORDS["works"]
    assert {*read_word_vectors(path, frozenset({"works"}), 100)[0]} == {"works"}
    assert len(read_word_vectors(path, None, 2)[0]) == 2


@pytest.mark.parametrize("name", ["word2vec.txt", "word2vec.bin", "word2vec.bin.gz", "glove.txt.gz"])
def test_a_file_cut_anywhere_is_refused_or_read_in_part(name, tmp_path):
    """With a header the words are counted; GloVe without one may end after any line."""
    path = tmp_path / name
    whole = FORMATS[name]
    for size in range(len(whole) - 2):
        path.write_bytes(whole[:size])
        try:
            vectors, _ = read_word_vectors(path, None, 100)
        except InputRefused as error:
            assert str(path) in str(error)
        else:
            assert name.startswith("glove") or len(vectors) == len(WORDS), size


@pytest.mark.parametrize("content", [b"", b"\n", b"name\nAcme\n", b"2 3\n", b"0 0\n", b"a b c d\n", b"a 1 2\nb 1\n",
                                     b"a 1 nan\n", b"2 3\n\x00\x01\x02", b"99999999 3\n"])  # fmt: skip
def test_what_is_no_file_of_vectors_is_refused(content, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(InputRefused) as error:
        read_word_vectors(path, None, 100)
    assert error.value.code == "E_VECTORS"
    with pytest.raises(InputRefused):
        read_word_vectors(tmp_path / "missing", None, 100)


def test_random_bytes_never_end_in_another_error(tmp_path):
    rng, path = random.Random(0), tmp_path / "x"
    for _ in range(500):
        content = bytearray(FORMATS[rng.choice(sorted(FORMATS))])
        for _ in range(rng.randrange(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        try:
            vectors, dimension = read_word_vectors(path, None, 100)
            assert all(len(vector) == dimension for vector in vectors.values())
        except InputRefused:
            pass


@pytest.mark.parametrize("unknown", ["random", "shared", "zero", "mean", "skip"])
def test_words_without_a_vector_have_a_policy(unknown, tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(FORMATS["glove.txt"])
    settings = Embedding(vectors=str(path), unknown=unknown)
    reader, table = read_embeddings(["granite harbor", "works harbor"], Tokens(unit="word"), settings, 1)
    assert table[reader.numbers("granite")[0]].tolist() == WORDS["granite"]
    numbers = reader.numbers("granite harbor nowhere")
    known = "harbor" in reader.vocabulary
    assert known == (unknown in ("random", "zero", "mean"))
    assert len(numbers) == (1 if unknown == "skip" else 3)
    if unknown != "skip":
        harbor = table[numbers[1]]
        assert numbers[2] == UNKNOWN and (numbers[1] >= FIRST) == known
        assert (not harbor.any()) == (unknown == "zero")
        assert np.allclose(harbor, np.mean([WORDS["granite"], WORDS["works"]], axis=0)) == (unknown == "mean")


def test_vectors_need_words_and_some_word_in_common(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(FORMATS["glove.txt"])
    with pytest.raises(UsageError, match='use "word" tokens'):
        read_embeddings(["granite"], Tokens(unit="character"), Embedding(vectors=str(path)), 1)
    with pytest.raises(UsageError, match="None of the words"):
        read_embeddings(["harbor"], Tokens(unit="word"), Embedding(vectors=str(path)), 1)
    reader, _ = read_embeddings(["granite"], Tokens(unit="word"), Embedding(vectors=str(path), words="all"), 1)
    assert {"works", "日立"} <= {*reader.vocabulary}
