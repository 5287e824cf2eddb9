"""Networks that are small enough for a test."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def bert_directory(tmp_path_factory):
    """A BERT of random weights in the layout of Hugging Face."""
    from dedup.training.architectures.bert import Bert, BertTower

    folder = tmp_path_factory.mktemp("bert")
    letters = [chr(code) for code in range(97, 123)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{one}" for one in letters), "harbor", "##or"]
    config = {
        "model_type": "bert", "hidden_act": "gelu", "vocab_size": len(vocabulary), "hidden_size": 8,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12, "max_position_embeddings": 32,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    torch.manual_seed(3)
    tower = BertTower(Bert(), config)
    write_safetensors(folder / "model.safetensors", {f"bert.{k}": v.numpy() for k, v in tower.state_dict().items()})
    return folder


def write_safetensors(path, tensors):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        content = value.astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(body), len(body + content)]}
        body += content
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
