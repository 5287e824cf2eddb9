"""Train small variants of the tower on the same batches and measure each: what encoders.md reports.

    python benchmarks/encoders.py --data ../shared/data --work DIR [--only NAME ...] [--steps 600]

Every variant sees the same batches, made of the neighbourhoods that the untrained tower finds, and one CPU
thread. What is measured of a variant is kept in DIR/NAME.json, so that an interrupted run goes on where it
stopped. At the end all are timed in turns, on the same texts, and the table goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from dedup.encoder.onnx import quantise
from dedup.encoder.tokens import N_BUCKETS, N_SYMBOLS, WINDOW, symbols_and_grams
from dedup.evaluation import measures
from dedup.evaluation.evaluate import mates_of, nearest_others
from dedup.text.normalise import normalise
from dedup.training.command import make_sampler, read_training_data
from dedup.training.data.sampling import Sampler
from dedup.training.data.sources import read_pairs, read_rows
from dedup.training.loop import LONGEST, Read, contrastive_loss, embed, initial_tower
from dedup.training.network import DIMENSION, HIDDEN_SIZE, SYMBOL_SIZE

BATCH = 512
LEARNING_RATE = 2e-3
SEED = 1
DISTRACTORS = 100_000
SPEED_TEXTS, SPEED_ROUNDS = 5_000, 5
PAIRS = ("company_validation_h1b", "company_validation_nber", "toponyms_validation")
CLUSTERS = (
    "h1b_employers_validation", "nber_assignees_validation", "ror_organisations_validation",
    "wikidata_companies_validation", "chicago_early_childhood", "abt_buy", "dblp_acm",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """One design of the tower; the defaults are the one that ships."""

    recurrence: str = "lstm"  # or bilstm, cnn, none
    hidden: int = HIDDEN_SIZE
    layers: int = 1
    pooling: str = "maximum and mean"  # or mean, last
    dimension: int = DIMENSION
    grams: str = "trigrams, words, initials"  # or trigrams, none, and with "raw" those of other scripts
    temperature: float = 0.08
    teacher: str = ""


VARIANTS = {
    "shipped": Variant(),
    "LSTM 32": Variant(hidden=32),
    "LSTM 128": Variant(hidden=128),
    "BiLSTM 64": Variant("bilstm"),
    "2 layers": Variant(layers=2),
    "CNN 3+5": Variant("cnn"),
    "no LSTM": Variant("none"),
    "mean pooling": Variant(pooling="mean"),
    "last state": Variant(pooling="last"),
    "64 dimensions": Variant(dimension=64),
    "96 dimensions": Variant(dimension=96),
    "no grams": Variant(grams="none"),
    "trigrams only": Variant(grams="trigrams"),
    "raw Unicode too": Variant(grams="trigrams, words, initials, raw"),
    "temperature 0.06": Variant(temperature=0.06),
    "temperature 0.11": Variant(temperature=0.11),
    "BiLSTM 192, a teacher": Variant("bilstm", hidden=192),
    "taught by BiLSTM 192": Variant(teacher="BiLSTM 192, a teacher"),
}


class Tower(nn.Module):
    """A tower of any variant; ``dedup.training.network.Tower`` is the shipped one."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        width = variant.hidden * (1 if variant.recurrence == "lstm" else 2)
        self.symbol = nn.Embedding(N_SYMBOLS, SYMBOL_SIZE)
        if variant.recurrence in ("lstm", "bilstm"):
            self.lstm = nn.LSTM(
                SYMBOL_SIZE,
                variant.hidden,
                variant.layers,
                batch_first=True,
                bidirectional=variant.recurrence == "bilstm",
            )
        elif variant.recurrence == "cnn":
            self.convolutions = nn.ModuleList(nn.Conv1d(SYMBOL_SIZE, variant.hidden, k, padding=k // 2) for k in (3, 5))
        if variant.recurrence != "none":
            self.projection = nn.Linear(width * (2 if variant.pooling == "maximum and mean" else 1), variant.dimension)
        self.gram = nn.Embedding(N_BUCKETS, variant.dimension, padding_idx=0)

    def forward(self, symbols: Tensor, grams: Tensor) -> Tensor:
        total = torch.zeros(len(symbols), self.variant.dimension)
        if self.variant.recurrence != "none":
            total = self.projection(self._read(symbols))
        if self.variant.grams != "none":
            bag = functional.embedding_bag(grams, self.gram.weight, mode="sum", padding_idx=0)
            total = total + bag / (grams > 0).sum(dim=1, keepdim=True).clamp(min=1).sqrt()
        return functional.normalize(total, dim=1)

    def _read(self, symbols: Tensor) -> Tensor:
        real = (symbols > 0).unsqueeze(2)
        count = real.sum(dim=1).clamp(min=1)
        inputs = self.symbol(symbols)
        if self.variant.recurrence == "cnn":
            columns = (inputs * real).transpose(1, 2)
            outputs = torch.cat([torch.tanh(c(columns)) for c in self.convolutions], dim=1).transpose(1, 2)
        else:
            outputs, _ = self.lstm(inputs)
        if self.variant.pooling == "last":
            return outputs[torch.arange(len(outputs)), count.squeeze(1) - 1]
        mean = (outputs * real).sum(dim=1) / count
        if self.variant.pooling == "mean":
            return mean
        return torch.cat([outputs.masked_fill(~real, -2.0).amax(dim=1), mean], dim=1)


def reader(grams: str) -> Read:
    """Return what makes the symbols and the chosen grams of texts."""

    def read(texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        symbols, every = symbols_and_grams(texts)
        if grams == "trigrams":
            every = every[:, : symbols.shape[1]]
        if grams.endswith("raw"):
            raw = [raw_buckets(text) for text in texts]
            more = np.zeros((len(texts), max(map(len, raw))), dtype=np.int32)
            for row, buckets in enumerate(raw):
                more[row, : len(buckets)] = buckets
            every = np.concatenate([every, more], axis=1)
        return symbols, every

    return read


def raw_buckets(text: str) -> list[int]:
    """Hash each character, and each two in a row, of words in other alphabets than ASCII."""
    words = [word for word in text.split() if not word.isascii()]
    grams = [gram for word in words for gram in (*word, *map("".join, pairwise(word)))]
    return [1 + crc32(f"raw {gram}".encode()) % (N_BUCKETS - 1) for gram in grams]


def taught(student: Tensor, teacher: Tensor, n: int, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of the student's similarities in the batch from the teacher's, both ways."""

    def one(left: Tensor, right: Tensor, left_wanted: Tensor, right_wanted: Tensor) -> Tensor:
        wanted = (left_wanted @ right_wanted.T / temperature).softmax(dim=1)
        return functional.kl_div((left @ right.T / temperature).log_softmax(dim=1), wanted, reduction="batchmean")

    a, b, a_wanted, b_wanted = student[:n], student[n:], teacher[:n], teacher[n:]
    return (one(a, b, a_wanted, b_wanted) + one(b[:n], a, b_wanted[:n], a_wanted)) / 2


def train(variant: Variant, sampler: Sampler, start: Tensor, steps: int, teacher: Tower | None) -> Tower:
    torch.manual_seed(SEED)
    tower = Tower(variant)
    with torch.no_grad():
        scale = start.norm(dim=1, keepdim=True)  # rarity of each gram, whatever the dimension
        tower.gram.weight.normal_(0, variant.dimension**-0.5).mul_(scale)
    optimiser = torch.optim.AdamW(tower.parameters(), lr=LEARNING_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.08)
    for step in range(steps):
        batch = sampler.batch(BATCH, step)
        texts = [text[:LONGEST] for text in batch.left + batch.right]
        n = len(batch.left)
        vectors = embed(tower, texts, reader(variant.grams))
        loss = contrastive_loss(vectors[:n], vectors[n:], torch.from_numpy(batch.same), variant.temperature)
        if teacher is not None:
            with torch.no_grad():
                wanted = embed(teacher, texts, reader(teacher.variant.grams))
            loss = (loss + taught(vectors, wanted, n, variant.temperature)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    return tower.eval()


def measure(tower: Tower, data: Path, distractors: list[str]) -> dict[str, float]:
    read = reader(tower.variant.grams)

    @torch.no_grad()
    def codes(texts: Sequence[str]) -> NDArray[np.int8]:
        return quantise(embed(tower, [text[:WINDOW] for text in texts], read).numpy())

    found = {}
    for name in PAIRS:
        pairs = read_pairs(data / "pairs" / f"{name}.csv.gz")
        similarity = np.einsum("ij,ij->i", *(codes(side).astype(np.float32) for side in (pairs.left, pairs.right)))
        found[f"AUC {name.split('_')[-1 if 'company' in name else 0]}"] = measures.auc(pairs.labels, similarity)
    others = codes(distractors)
    for name in CLUSTERS:
        rows = list(read_rows(data / "clusters" / f"{name}.csv.gz"))
        texts = [normalise(row["text"]) for row in rows]
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        mates = mates_of(np.array([numbers[text] for text in texts]), [row["cluster_id"] for row in rows])
        own = codes(list(numbers))
        short = name.split("_")[0]
        among = others if short == "h1b" else others[:0]
        near, _ = nearest_others(np.concatenate([among, own]), len(among))
        for depth in (1, 10) if short == "h1b" else (10,):
            found[f"R@{depth} {short}"] = measures.recall_at(near, mates, depth)
    return found


def speeds(towers: dict[str, Tower], texts: list[str]) -> dict[str, float]:
    """How many times as many texts each tower reads in a processor second as the first one; median of rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in towers}
    for _ in range(SPEED_ROUNDS):
        for name, tower in towers.items():
            began = time.process_time()
            with torch.no_grad():
                embed(tower, [text[:WINDOW] for text in texts], reader(tower.variant.grams))
            seconds[name].append(time.process_time() - began)
    first = next(iter(seconds.values()))
    return {name: float(np.median(np.divide(first, own))) for name, own in seconds.items()}


def load(name: str, work: Path) -> Tower:
    tower = Tower(VARIANTS[name])
    tower.load_state_dict(torch.load(work / f"{name}.pt", weights_only=True))
    return tower.eval()


def size_of(tower: Tower) -> float:
    """Megabytes on disk: the table of grams in bytes, everything else in four."""
    used = {name: p.numel() for name, p in tower.named_parameters()}
    table = 0 if tower.variant.grams == "none" else used["gram.weight"]
    return (table + 4 * sum(n for name, n in used.items() if name != "gram.weight")) / 1e6


def neighbourhoods(sampler: Sampler, names: list[str], work: Path) -> Tensor:
    """Give the sampler the neighbourhoods that the untrained tower finds; return its table of grams."""
    start = initial_tower(names[:200_000], SEED)
    kept = work / "neighbourhoods.npy"
    if not kept.exists():
        with torch.no_grad():
            anchors = embed(start, [text[:LONGEST] for text in sampler.anchors])
        np.save(kept, quantise(anchors.numpy()))
    sampler.set_codes(np.load(kept), 0)
    return start.gram.weight.detach()


def table(results: dict[str, dict[str, float]]) -> str:
    columns = list(next(iter(results.values())))
    shown: dict[str, Callable[[float], str]] = {"speed": "{:.2f}".format, "MB": "{:.1f}".format}
    lines = ["| variant | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, row in results.items():
        lines.append(f"| {name} | " + " | ".join(shown.get(c, "{:.3f}".format)(row[c]) for c in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    corpus = [normalise(row["text"]) for row in read_rows(arguments.data / "clusters" / f"{CLUSTERS[0]}.csv.gz")]
    missing = [name for name in arguments.only if not (work / f"{name}.json").exists()]
    if missing:
        entities, names = read_training_data(arguments.data, SEED)
        sampler = make_sampler(entities, names[:100_000], SEED)
        start = neighbourhoods(sampler, names, work)
        known = set(corpus)
        distractors = [name for name in names if name not in known]
        random.Random(SEED).shuffle(distractors)
    for name in missing:
        variant = VARIANTS[name]
        teacher = load(variant.teacher, work) if variant.teacher else None
        tower = train(variant, sampler, start, arguments.steps, teacher)
        torch.save(tower.state_dict(), work / f"{name}.pt")
        result = measure(tower, arguments.data, distractors[:DISTRACTORS]) | {"MB": size_of(tower)}
        (work / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    results = {name: json.loads((work / f"{name}.json").read_text(encoding="utf-8")) for name in arguments.only}
    timed = speeds({name: load(name, work) for name in arguments.only}, corpus[:SPEED_TEXTS])
    print(table({name: row | {"speed": timed[name]} for name, row in results.items()}))


if __name__ == "__main__":
    main()
