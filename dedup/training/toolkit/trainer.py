"""The training loop: batches, evaluations, checkpoints, early stopping; a killed run continues where it was."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dedup.errors import UsageError
from dedup.evaluation.classified import measure
from dedup.evaluation.pair_set import PairSet
from dedup.runtime.progress import Progress
from dedup.training.architectures.objectives import in_batch_loss
from dedup.training.architectures.siamese import Siamese, unit
from dedup.training.data.negatives import Pair, hard_negatives, random_negatives
from dedup.training.data.splitting import entity_of_text
from dedup.training.toolkit.batches import Texts, order_of, weights_of
from dedup.training.toolkit.checkpoints import Checkpoints, key_of
from dedup.training.toolkit.interruption import Interruption, interruption
from dedup.training.toolkit.journal import Journal
from dedup.training.toolkit.recipe import Recipe
from dedup.training.toolkit.scorer_task import Notify

_PAIRS = 4_096
_CHUNK = 256
"""Texts or pairs of a batch of an evaluation."""
_TINY = 1e-30
_MEASURES = {
    "binary": {"auto": "best_f1", "f1": "best_f1", "accuracy": "best_accuracy"},
    "classes": {"auto": "class_accuracy", "f1": "macro_f1", "accuracy": "class_accuracy"},
    "graded": {"auto": "spearman", "f1": "best_f1", "accuracy": "best_accuracy"},
}


class Trainer:
    """Trains one network on one set of pairs; ``folder`` holds its metrics and checkpoints."""

    def __init__(
        self,
        siamese: Siamese,
        recipe: Recipe,
        training: PairSet,
        validation: PairSet,
        folder: Path,
        progress: Progress,
        notify: Notify,
    ) -> None:
        settings = recipe.training
        self._siamese, self._recipe, self._settings = siamese.to(_device(settings.device)), recipe, settings
        self._training, self._validation = training, validation
        self._progress, self._notify = progress, notify
        self._texts = Texts(siamese.encoder.reader, settings.device)
        self._checkpoints = Checkpoints(folder / "checkpoints", key_of(recipe, training, validation))
        self._journal = Journal(folder, tensorboard=settings.tensorboard)
        trained = [one for one in siamese.parameters() if one.requires_grad]
        if not trained:
            raise UsageError(
                "Everything is frozen, so there is nothing to train; unfreeze a part or choose another head."
            )
        self._optimiser = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
        is_alone = recipe.objective.kind == "in-batch" or training.labels != "binary"
        self._negatives = 0 if is_alone else recipe.negatives.random
        needs_entities = self._negatives or recipe.objective.kind == "in-batch"
        self._entity = entity_of_text(training) if needs_entities else {}
        names = _MEASURES[training.labels]
        self._measure = names.get(settings.measure, settings.measure.replace("-", "_"))
        self._step = self._epoch = self._at = self._stale = self._total = 0
        self._best, self._seconds = -math.inf, 0.0
        self._losses: list[float] = []
        self._more: list[Pair] = []

    def fit(self) -> list[dict[str, Any]]:
        """Train, and leave the best parameters in the network; return the entries of the journal.

        Raises:
            UsageError: the loss is not finite, or a checkpoint belongs to another training.
            KeyboardInterrupt, SystemExit: a signal came; a checkpoint was saved.
        """
        self._resume()
        started = time.monotonic() - self._seconds
        with interruption() as stop:
            while self._epoch < self._settings.epochs and not self._is_stale():
                self._run_epoch(started, stop)
        self._journal.close()
        self._siamese.load_state_dict(self._checkpoints.best())
        self._siamese.eval()
        return self._journal.entries

    def finish(self) -> None:
        """Remove the checkpoints that need not be kept, once the model is written."""
        self._checkpoints.prune(self._settings.keep_checkpoints)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of texts, (n, size), in order."""
        return unit(self._vectors(texts)).cpu().numpy()

    def predict(self, pairs: PairSet) -> NDArray[np.float64]:
        """Return similarities (n,), or the probabilities of classes (n, classes)."""
        at = {text: row for row, text in enumerate(pairs.texts())}
        vectors = self._vectors(list(at))
        left, right = (torch.tensor([at[text] for text in side]) for side in (pairs.left, pairs.right))
        with torch.no_grad():
            found = [
                self._siamese.head(vectors[left[start : start + _PAIRS]], vectors[right[start : start + _PAIRS]])
                for start in range(0, len(pairs), _PAIRS)
            ]
        result = torch.cat(found)
        result = result.softmax(dim=1) if self._siamese.head.is_classifier else result
        return result.cpu().numpy().astype(np.float64)

    def _vectors(self, texts: Sequence[str]) -> Tensor:
        self._siamese.eval()
        order = sorted(range(len(texts)), key=lambda row: self._texts.width(texts[row]))
        found = []
        with torch.no_grad():
            for start in range(0, len(order), _CHUNK):
                found.append(self._encode([texts[row] for row in order[start : start + _CHUNK]]))
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order, dtype=torch.long)] = torch.arange(len(order))
        vectors = torch.cat(found)[back.to(found[0].device)]
        if not bool(torch.isfinite(vectors).all()):
            raise self._diverged(f"After step {self._step} the network returns vectors that are not finite.")
        return vectors

    def _diverged(self, what: str) -> UsageError:
        return UsageError(
            f"{what} Lower training.learning_rate (now {self._settings.learning_rate:g}), set training.gradient_clip, "
            "or turn mixed precision off; --fresh begins anew."
        )

    def _encode(self, texts: Sequence[str]) -> Tensor:
        device = self._settings.device
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self._settings.mixed_precision):
            return self._siamese.encode(self._texts.inputs(texts)).float()

    def _run_epoch(self, started: float, stop: Interruption) -> None:
        settings = self._settings
        if self._at == 0:
            self._refresh_negatives()
        data, extras = self._data()
        batches = order_of(data, self._texts, settings.batch_size, settings.balance, settings.seed + self._epoch)
        self._total = self._total or settings.epochs * len(batches)
        weights = None if data.labels == "graded" else weights_of(data, settings.balance, self._negatives)
        while self._at < len(batches):
            self._train(self._with_negatives(data.select(batches[self._at])), weights, extras)
            self._at += 1
            is_last = self._at == len(batches)
            self._seconds = time.monotonic() - started
            if self._is_due(settings.evaluate_every, is_last):
                self._evaluate()
            if is_last:
                self._epoch, self._at = self._epoch + 1, 0
            if self._is_due(settings.checkpoint_every or settings.evaluate_every, is_last) or stop.signum is not None:
                self._save()
            if stop.signum is not None:
                self._notify(f"Stopped after step {self._step:,}; the same command continues from there.")
                stop.finish()
            if is_last or self._is_stale():
                return

    def _is_due(self, every: int, is_last: bool) -> bool:
        return self._step % every == 0 if every else is_last

    def _is_stale(self) -> bool:
        return 0 < self._settings.patience <= self._stale

    def _data(self) -> tuple[PairSet, dict[str, list[str]]]:
        """Return the pairs of this epoch and, for ``in-batch``, the texts that each left text must be told from."""
        if self._recipe.objective.kind != "in-batch":
            left, right = ([pair[side] for pair in self._more] for side in (0, 1))
            return self._training.with_more(left, right, 0.0), {}
        extras: dict[str, list[str]] = {}
        rows = np.flatnonzero(~self._training.positive).tolist()
        labelled = [(self._training.left[row], self._training.right[row]) for row in rows]
        for anchor, other in [*labelled, *self._more]:
            extras.setdefault(anchor, []).append(other)
        return self._training.select(np.flatnonzero(self._training.positive)), extras

    def _refresh_negatives(self) -> None:
        negatives, seed = self._recipe.negatives, self._settings.seed + self._epoch
        if self._training.labels == "binary" and negatives.hard and self._epoch % negatives.refresh_every == 0:
            self._more = hard_negatives(self._training, negatives.hard, seed, self.encode)

    def _with_negatives(self, batch: PairSet) -> PairSet:
        """Return a batch with random negatives; they are of its own texts, so they need no further encoding."""
        if not self._negatives:
            return batch
        more = random_negatives(batch, self._negatives, (self._settings.seed, self._step), self._entity)
        return batch.with_more([one[0] for one in more], [one[1] for one in more], 0.0)

    def _train(self, batch: PairSet, weights: NDArray[np.float64] | None, extras: dict[str, list[str]]) -> None:
        self._siamese.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._settings.learning_rate * self._rate()
        loss = self._loss(batch, weights, extras)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self._diverged(f"The loss of step {self._step + 1} is {value}.")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._settings.gradient_clip:
            torch.nn.utils.clip_grad_norm_(self._siamese.parameters(), self._settings.gradient_clip)
        self._optimiser.step()
        self._step += 1
        self._losses.append(value)
        self._progress(f"train · loss {np.mean(self._losses[-100:]):.4f}", self._step, self._total)

    def _rate(self) -> float:
        """Return the share of the highest learning rate for the next step."""
        warm = self._settings.warmup * self._total
        if self._step < warm:
            return (self._step + 1) / (warm + 1)
        left = max(0.0, 1 - (self._step - warm) / max(1.0, self._total - warm))
        return {"constant": 1.0, "linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2}[self._settings.schedule]

    def _loss(self, batch: PairSet, weights: NDArray[np.float64] | None, extras: dict[str, list[str]]) -> Tensor:
        left, right, objective, n = batch.left, batch.right, self._recipe.objective, len(batch)
        more = [text for one in left for text in extras.get(one, ())]
        row = {text: at for at, text in enumerate(dict.fromkeys([*left, *right, *more]))}
        rows = torch.tensor([row[text] for text in (*left, *right, *more)], device=self._settings.device)
        vectors = self._encode(list(row)).index_select(0, rows)
        if objective.kind == "in-batch":
            entities = [torch.tensor([self._entity.get(text, -1 - at) for at, text in enumerate(some)])
                        for some in (left, [*right, *more])]  # fmt: skip
            same = (entities[0][:, None] == entities[1][None, :]).to(vectors.device)
            vectors = unit(vectors)
            return in_batch_loss(vectors[:n], vectors[n:], same, objective.temperature)
        targets = torch.from_numpy(batch.targets).float().to(vectors.device)
        losses = objective.losses(self._siamese.head(vectors[:n], vectors[n:]), targets)
        if weights is None:
            return losses.mean()
        weighed = torch.from_numpy(weights[batch.targets.astype(np.int64)]).float().to(vectors.device)
        return (losses * weighed).sum() / weighed.sum()

    def _evaluate(self) -> None:
        predicted = self.predict(self._validation)
        found = measure(self._validation, predicted) | {"loss": self._validation_loss(predicted)}
        entry = {
            "step": self._step, "epoch": self._epoch + 1, "loss": float(np.mean(self._losses)),
            "learning_rate": self._optimiser.param_groups[0]["lr"], "seconds": round(self._seconds, 3),
            "validation": {name: value for name, value in found.items() if isinstance(value, float)},
        }  # fmt: skip
        self._losses.clear()
        name = self._measure if self._measure in found else "loss"
        value = -found["loss"] if name == "loss" else found[name]
        is_best = value > self._best
        if is_best:
            self._best, self._stale = value, 0
            self._checkpoints.save_best(self._siamese.state_dict())
        else:
            self._stale += 1
        self._journal.add(entry)
        rest = self._seconds / self._step * max(0, self._total - self._step)
        self._notify(
            f"Epoch {self._epoch + 1}, step {self._step:,} of {self._total:,}: loss {entry['loss']:.4f}, validation "
            f"loss {found['loss']:.4f}, {name.replace('_', ' ')} {abs(value):.4f}{' (best)' if is_best else ''}; "
            f"{self._seconds:,.0f} s, about {rest:,.0f} s to go"
        )

    def _validation_loss(self, predicted: NDArray[np.float64]) -> float:
        pairs, objective = self._validation, self._recipe.objective
        if objective.kind != "in-batch":
            found = torch.from_numpy(predicted).float()
            found = found.clamp(min=_TINY).log() if self._siamese.head.is_classifier else found
            return float(objective.losses(found, torch.from_numpy(pairs.targets).float()).mean())
        pairs, total = pairs.select(np.flatnonzero(pairs.positive)), 0.0
        with torch.no_grad():
            for start in range(0, len(pairs), _CHUNK):
                batch = pairs.select(np.arange(start, min(start + _CHUNK, len(pairs))))
                total += float(self._loss(batch, None, {})) * len(batch)
        return total / max(1, len(pairs))

    def _save(self) -> None:
        state = {
            "model": self._siamese.state_dict(), "optimiser": self._optimiser.state_dict(), "step": self._step,
            "epoch": self._epoch, "at": self._at, "stale": self._stale, "total": self._total, "best": self._best,
            "seconds": self._seconds, "losses": self._losses, "random": torch.get_rng_state(),
            "more": [list(pair) for pair in self._more], "entries": self._journal.entries,
        }  # fmt: skip
        self._checkpoints.save(self._step, state, self._settings.keep_checkpoints)

    def _resume(self) -> None:
        state = self._checkpoints.latest()
        self._journal.resume(state["entries"] if state else [])
        if state is None:
            return
        self._siamese.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step, self._epoch, self._at = state["step"], state["epoch"], state["at"]
        self._stale, self._total, self._best = state["stale"], state["total"], state["best"]
        self._seconds, self._losses = state["seconds"], list(state["losses"])
        self._more = [(left, right) for left, right in state["more"]]
        torch.set_rng_state(state["random"])
        self._notify(f"Continuing after step {self._step:,}.")


def _device(name: str) -> str:
    """Return the device if it is there; raises ``UsageError`` if not."""
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not has[name]:
        there = ", ".join(device for device, is_there in has.items() if is_there)
        raise UsageError(f'training.device is "{name}", which this machine or this torch does not have; use {there}.')
    return name
