"""Every preset and every part: equal in torch and ONNX, independent of padding, and loadable again."""

import itertools
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from named_pairs import pair_set  # noqa: E402
from small_networks import EMBEDDED, SMALL  # noqa: E402

from dedup.encoder.onnx import OnnxEncoder  # noqa: E402
from dedup.encoder.pair_head import HEAD, OnnxHead  # noqa: E402
from dedup.errors import InputRefused, UsageError  # noqa: E402
from dedup.training.architectures import attention as attention_module  # noqa: E402
from dedup.training.architectures.bert import read_weights  # noqa: E402
from dedup.training.toolkit.batches import Texts  # noqa: E402
from dedup.training.toolkit.build import build  # noqa: E402
from dedup.training.toolkit.recipe import presets, read_recipe  # noqa: E402

TEXTS = ["harbor works", "a", "granite logistics of the summit 7", "日立 製作所", "été é zz", "nowhere seen before"]
LEARNT = [*pair_set(10).texts(), *TEXTS[:-1]]
PARTS = [
    *itertools.product(["recurrent"], ["lstm", "gru"], ["true", "false"], [1, 2], ["last", "mean", "max"]),
    *itertools.product(["convolution"], [""], [""], [0], ["mean", "max", "sum"]),
    *itertools.product(["attention"], ["residual"], ["layer_norm"], [1, 3], ["first", "sum"]),
]


def small(preset, bert=None):
    kind = read_recipe(preset).tower_kind
    changes = [*SMALL[kind], *(EMBEDDED if kind in ("recurrent", "convolution", "attention") else [])]
    if preset == "word-multihead":
        changes = ["tower.heads=2", *EMBEDDED]
    return read_recipe(preset, None, [*changes, *([f"tower.directory={bert}"] if kind == "bert" else [])])


def outputs(siamese, texts):
    """The vectors and what the head says of each text and the next one."""
    siamese.eval()
    read = Texts(siamese.encoder.reader, "cpu")
    with torch.no_grad():
        vectors = siamese.encode(read.inputs(texts))
        alone = torch.cat([siamese.encode(read.inputs([text])) for text in texts])
        found = siamese.head(vectors, vectors.roll(1, 0))
    found = found.softmax(dim=1) if siamese.head.is_classifier else found
    return vectors.numpy(), alone.numpy(), found.numpy()


def check(siamese, folder):
    siamese.write(folder)
    encoder = OnnxEncoder(folder / "encoder.onnx")
    vectors, alone, found = outputs(siamese, TEXTS)
    assert np.abs(encoder.pooled(TEXTS) - vectors).max() <= 1e-4
    assert np.abs(alone - vectors).max() <= 1e-4
    others = [TEXTS[-1], *TEXTS[:-1]]
    assert np.abs(OnnxHead(folder / HEAD, encoder).compare(TEXTS, others) - found).max() <= 1e-4
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(encoder.encode(TEXTS) / 254 - np.clip(units, -0.5, 0.5)).max() <= 0.003
    return encoder


@pytest.mark.parametrize("preset", presets())
def test_a_preset_is_the_same_in_onnx_and_is_loaded_again(preset, tmp_path, bert_directory):
    recipe = small(preset, bert_directory)
    siamese = build(recipe, LEARNT, 3 if recipe.objective.kind == "cross-entropy" else 2)
    encoder = check(siamese, tmp_path)
    again = build(recipe, ["other words"], 3 if recipe.objective.kind == "cross-entropy" else 2, encoder.reader)
    again.load(tmp_path)
    for left, right in zip(outputs(siamese, TEXTS), outputs(again, TEXTS), strict=True):
        assert np.abs(left - right).max() <= 1e-5


@pytest.mark.parametrize(("kind", "one", "two", "number", "pooling"), PARTS)
def test_every_tower_and_pooling_is_the_same_in_onnx(kind, one, two, number, pooling, tmp_path):
    own = {
        "recurrent": [f"tower.cell={one}", f"tower.bidirectional={two}", f"tower.layers={number}"],
        "convolution": [],
        "attention": ["tower.residual=true", "tower.layer_norm=true", f"tower.blocks={number or 1}"],
    }[kind]
    recipe = read_recipe(None, None, [f"tower.kind={kind}", *SMALL[kind], *own, *EMBEDDED, f"pooling.kind={pooling}",
                                      "pooling.projection=5"])  # fmt: skip
    assert check(build(recipe, LEARNT, 2), tmp_path).dimension == 5


@pytest.mark.parametrize("head", ["cosine", "scaled-distance", "exp-l1", "difference", "concat", "cosine-linear"])
def test_every_head_is_the_same_in_onnx(head, tmp_path):
    objective = "cross-entropy" if head in ("concat", "cosine-linear") else "mse"
    changes = [f"head.kind={head}", f"objective.kind={objective}", "tower.hidden_size=4", *EMBEDDED]
    check(build(read_recipe(None, None, changes), LEARNT, 3), tmp_path)


@pytest.mark.parametrize("preset", ["word-multihead", "transformer"])
def test_the_attention_of_each_block_is_the_same_in_onnx(preset, tmp_path, bert_directory):
    siamese = build(small(preset, bert_directory), LEARNT, 2)
    siamese.write(tmp_path)
    found, kept = [], attention_module.weights
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention_module, "weights", lambda *parts: found.append(kept(*parts)) or found[-1])
        outputs(siamese, TEXTS[2:3])
    tokens, weights = OnnxEncoder(tmp_path / "encoder.onnx").attention(TEXTS[2])
    assert weights.shape == (len(found) // 2, 2, len(tokens), len(tokens))
    for block, expected in zip(weights, found, strict=False):
        assert np.abs(block - expected.numpy()[0]).max() <= 1e-4
    assert np.abs(weights.sum(axis=3) - 1).max() <= 1e-4
    assert (tokens[0] == "[CLS]") == (preset == "transformer")


def test_an_encoder_without_attention_has_none(tmp_path):
    build(small("word-cnn"), LEARNT, 2).write(tmp_path)
    assert OnnxEncoder(tmp_path / "encoder.onnx").attention("harbor") is None


OWN_NAMES = {
    "encoder.layer.": "transformer.layer.", ".attention.self.query.": ".attention.q_lin.",
    ".attention.self.key.": ".attention.k_lin.", ".attention.self.value.": ".attention.v_lin.",
    ".attention.output.dense.": ".attention.out_lin.", ".attention.output.LayerNorm.": ".sa_layer_norm.",
    ".intermediate.dense.": ".ffn.lin1.", ".output.dense.": ".ffn.lin2.", ".output.LayerNorm.": ".output_layer_norm.",
}  # fmt: skip


def relatives(bert, folder, kind):
    """The same encoder in the layout of another type, with its vocabulary in tokenizer.json and numbers of bfloat16."""
    config = json.loads((bert / "config.json").read_text()) | {"model_type": kind}
    tensors = {
        name.removeprefix("bert."): value for name, value in read_weights(bert, config | {"model_type": "bert"}).items()
    }
    if kind == "distilbert":
        own = {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
               "intermediate_size": "hidden_dim", "hidden_act": "activation"}  # fmt: skip
        config = {own.get(name, name): value for name, value in config.items() if name != "type_vocab_size"}
        tensors = {name: value for name, value in tensors.items() if "token_type" not in name}
        for berts, name in OWN_NAMES.items():
            tensors = {one.replace(berts, name): value for one, value in tensors.items()}
    (folder / "config.json").write_text(json.dumps(config))
    vocabulary = (bert / "vocab.txt").read_text().split()
    model = {"type": "WordPiece", "vocab": {token: at for at, token in enumerate(vocabulary)}}
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    torch.save({f"{kind}.{name}": value for name, value in tensors.items()}, folder / "pytorch_model.bin")
    return folder


@pytest.mark.parametrize("kind", ["electra", "distilbert"])
def test_relatives_of_bert_are_read(kind, tmp_path, bert_directory):
    (tmp_path / "onnx").mkdir()
    siamese = build(small("transformer", relatives(bert_directory, tmp_path, kind)), LEARNT, 2)
    check(siamese, tmp_path / "onnx")
    original = build(small("transformer", bert_directory), LEARNT, 2)
    if kind == "distilbert":
        with torch.no_grad():
            original.encoder.tower.embeddings["token_type_embeddings"].weight[0] = 0
    assert np.abs(outputs(siamese, TEXTS)[0] - outputs(original, TEXTS)[0]).max() <= 1e-5


def test_half_precision_is_read(tmp_path):
    values = np.array([[1.0, -2.5], [0.15625, 3e38]], np.float32)
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    halves = (values.view("<u4") >> 16).astype("<u2").tobytes()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + halves)
    config = {"model_type": "bert", "type_vocab_size": 2}
    found = read_weights(tmp_path, config)["a"].numpy()
    assert np.array_equal(found[:, 0], values[:, 0]) and np.allclose(found, values, rtol=0.01)


def test_both_sides_have_one_encoder():
    siamese = build(small("char-bilstm-contrastive"), LEARNT, 2)
    siamese.eval()
    read = Texts(siamese.encoder.reader, "cpu")
    with torch.no_grad():
        a, b = (siamese.encode(read.inputs([text])) for text in TEXTS[:2])
        assert torch.equal(siamese.head(a, b), siamese.head(b, a))
    assert sorted({name.split(".")[0] for name, _ in siamese.named_parameters()}) == ["encoder"]


def test_a_model_of_another_architecture_is_not_loaded(tmp_path):
    build(small("word-cnn"), LEARNT, 2).write(tmp_path)
    for preset in ("word-rnn", "char-lstm"):
        with pytest.raises(InputRefused):
            build(small(preset), LEARNT, 2).load(tmp_path)


def test_an_encoder_that_is_not_a_bert_is_refused(tmp_path, bert_directory):
    with pytest.raises(InputRefused, match=r"config\.json"):
        build(small("transformer", tmp_path), LEARNT, 2)
    (tmp_path / "config.json").write_text((bert_directory / "config.json").read_text().replace('"bert"', '"gpt2"'))
    with pytest.raises(InputRefused, match="only bert, electra, distilbert"):
        build(small("transformer", tmp_path), LEARNT, 2)
    (tmp_path / "config.json").write_text((bert_directory / "config.json").read_text())
    (tmp_path / "vocab.txt").write_text((bert_directory / "vocab.txt").read_text())
    (tmp_path / "model.safetensors").write_bytes((bert_directory / "model.safetensors").read_bytes()[:200])
    with pytest.raises(InputRefused, match="weights"):
        build(small("transformer", tmp_path), LEARNT, 2)


def test_frozen_layers_are_not_trained(bert_directory):
    counts = []
    for frozen in (-1, 0, 1):
        recipe = read_recipe(
            "transformer", None, [f"tower.directory={bert_directory}", f"tower.frozen_layers={frozen}"]
        )
        counts.append(build(recipe, LEARNT, 2).count())
    assert counts[0] > counts[1] > counts[2]


def test_vectors_that_an_index_cannot_hold_are_refused():
    with pytest.raises(UsageError, match="2048 numbers"):
        build(read_recipe(None, None, ["tower.hidden_size=2048"]), LEARNT, 2)
