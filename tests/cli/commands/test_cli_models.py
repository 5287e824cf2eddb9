"""A model of one's own in every command, and ``dedup models``."""

from __future__ import annotations

import json
import pickle
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from invocation import dedup_, write
from own_models import external_weights, make_model, with_hashes

import dedup.model
import indexer.models.choice
import neardup
from cli.exit_codes import REFUSED, USAGE, VERSION
from dedup.errors import VersionMismatch
from dedup.matching.matcher import Matcher

load_model = dedup.model.load_model
NAMES = ["Acme Holdings Inc", "ACME HOLDINGS INCORPORATED", "Zenith Bank", "Zenith Bnk", "Falcon Works"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models: ``other`` has another encoder, ``scorer`` only another scorer than the shipped one."""
    place = tmp_path_factory.mktemp("models")
    make_model(place / "other", encoder="other", starting_point=0.5)
    make_model(place / "scorer", starting_point=-0.5)
    return place


@pytest.fixture(autouse=True)
def real(surroundings: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are real here, and each is loaded once."""
    known: dict[str, dedup.model.Model] = {}

    def load(directory: Path | str | None = None) -> dedup.model.Model:
        where = "" if directory is None else str(directory)
        if where and (not Path(where).exists() or str(surroundings) in str(Path(where).resolve())):
            return load_model(directory)
        return known.setdefault(where, load_model(directory))

    monkeypatch.setattr(dedup.model, "load_model", load)
    write("names.csv", "id,name\n" + "".join(f"{number},{name}\n" for number, name in enumerate(NAMES)))


def probability(*options: str | Path) -> float:
    result = dedup_("query", "Acme Hldgs", "--format", "json", *options)
    assert result.exit_code == 0, result.stderr
    return float(json.loads(result.stdout)[0]["probability"])


def indexed(*options: str | Path) -> None:
    result = dedup_("index", "names.csv", "--quiet", *options)
    assert result.exit_code == 0, result.stderr


def test_an_index_remembers_its_model_by_its_hash(made: Path) -> None:
    indexed()
    shipped = probability()
    for command in (["query", "Acme"], ["report"], ["verify"], ["link", "names.csv", "--against", "names"], ["review"]):
        refused = dedup_(*command, "--model", made / "other")
        assert refused.exit_code == VERSION
        assert "made with the model that ships with neardup" in refused.stderr
        assert f"dedup index --model {made / 'other'}`, which encodes every text anew" in refused.stderr
    assert "both have the same encoder" in dedup_("query", "Acme", "--model", made / "scorer").stderr

    changed = dedup_("index", "--model", made / "other", "--format", "json")
    assert (changed.exit_code, json.loads(changed.stdout)["texts_encoded"]) == (0, 5)
    assert "Encoding 5 texts with model other" in changed.stderr and "dedup models add" in changed.stderr
    unknown = dedup_("query", "Acme")
    assert unknown.exit_code == VERSION and "other" in unknown.stderr and "dedup models add DIR" in unknown.stderr
    assert dedup_("index", "names.csv").exit_code == VERSION
    assert probability("--model", made / "other") > shipped

    assert dedup_("models", "add", made / "other").exit_code == 0
    assert probability() == probability("--model", "other") > shipped
    assert dedup_("verify").exit_code == 0
    assert json.loads(dedup_("status", "--format", "json").stdout)["model_name"] == "other"
    assert json.loads(dedup_("index", "names.csv", "--format", "json").stdout)[0]["texts_encoded"] == 0

    assert json.loads(dedup_("index", "--model", "shipped", "--format", "json").stdout)["texts_encoded"] == 5
    assert probability() == shipped
    assert "model_name" not in json.loads(dedup_("status", "--format", "json").stdout)


def test_a_model_with_the_same_encoder_needs_no_encoding(made: Path) -> None:
    indexed()
    shipped = probability()
    done = json.loads(dedup_("index", "--model", made / "scorer", "--format", "json").stdout)
    assert (done["texts_encoded"], done["snapshot_built"]) == (0, False)
    assert probability("--model", made / "scorer") < shipped


def test_the_option_counts_before_the_environment_and_that_before_the_index(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed("--model", made / "scorer")
    monkeypatch.setenv("DEDUP_MODEL", str(made / "scorer"))
    assert probability() == probability("--model", made / "scorer")
    monkeypatch.setenv("DEDUP_MODEL", str(made / "other"))
    assert dedup_("query", "Acme").exit_code == VERSION
    assert probability("--model", made / "scorer") > 0
    with pytest.raises(VersionMismatch):
        neardup.Index(".dedup").query("Acme")
    monkeypatch.setenv("DEDUP_MODEL", "nowhere")
    assert dedup_("query", "Acme").exit_code == USAGE


def test_a_report_says_that_the_model_has_changed(made: Path) -> None:
    indexed()
    assert dedup_("report").exit_code == 0
    for model in ("scorer", "other"):
        indexed("--model", made / model)
        found = dedup_("report", "--model", made / model, "--summary", "json")
        assert json.loads(found.stdout)["why_full"] == "the model has changed"
        assert "because the model has changed" in found.stderr
        again = json.loads(dedup_("report", "--model", made / model, "--summary", "json").stdout)
        assert (again["why_full"], again["is_full"]) == (None, False)


def test_judgements_outlive_a_change_of_model(made: Path) -> None:
    indexed()
    with neardup.Index(".dedup") as index:
        index.judge(("names", "2"), ("names", "3"), "different")
    indexed("--model", made / "other")
    with neardup.Index(".dedup", model=str(made / "other")) as index:
        assert [row.verdict for row in index.judgements()] == ["different"]
        texts = [{record.text for record in cluster.records} for cluster in index.duplicates().clusters]
    assert {"Zenith Bank", "Zenith Bnk"} not in texts


def test_an_open_index_follows_a_change_of_model(made: Path) -> None:
    indexed()
    assert dedup_("models", "add", made / "other", "--name", "mine").exit_code == 0
    with neardup.Index(".dedup") as index:
        before = index.query("Acme Hldgs")[0].probability
        indexed("--model", "mine")
        assert index.query("Acme Hldgs")[0].probability > before
        with pytest.raises(VersionMismatch, match="dedup index --model shipped"):
            neardup.Index(".dedup", model="shipped").query("Acme")
        with neardup.Index(".dedup", model="shipped") as back:
            back.add([{"id": 9, "name": "Falcon Wrks"}], source="more")
        assert index.query("Acme Hldgs")[0].probability == before


def test_a_query_follows_a_change_of_model_that_comes_between(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed()
    assert dedup_("models", "add", made / "other", "--name", "mine").exit_code == 0
    before, chosen = probability(), []

    def model_for(*arguments: Any, **options: Any) -> Matcher:
        chosen.append(choice(*arguments, **options))
        if len(chosen) == 1:
            indexed("--model", "mine")
        return chosen[-1]

    choice = indexer.models.choice.model_for
    with monkeypatch.context() as patch:
        patch.setattr(indexer.models.choice, "model_for", model_for)
        during = probability()
    assert during == probability() > before


def test_other_commands_take_a_model(made: Path) -> None:
    assert dedup_("models", "add", made / "other").exit_code == 0
    pairs = write("pairs.csv", "left,right,label\n" + "Acme Inc,ACME Incorporated,1\nAcme Inc,Zenith Bank,0\n" * 4)
    for command in (["compare", "Acme Hldgs", "Acme Holdings"], ["evaluate", pairs]):
        shipped, own = (dedup_(*command, "--format", "json", *more).stdout for more in ([], ["--model", "other"]))
        assert json.loads(shipped) != json.loads(own)
    write("more.csv", "id,name\n1,Acme Hldgs\n")
    linked = [dedup_("link", "more.csv", "names.csv", *more).stdout for more in ([], ["--model", "other"])]
    assert linked[0] != linked[1]
    assert (
        neardup.compare("Acme", "Acme Co", model="other").probability > neardup.compare("Acme", "Acme Co").probability
    )


def test_models_are_listed_shown_compared_and_removed(made: Path) -> None:
    with tarfile.open("archived.tar.gz", "w:gz") as tar:
        tar.add(made / "other", "folder")
    added = dedup_("models", "add", "archived.tar.gz")
    assert added.exit_code == 0 and "Added archived@" in added.stderr
    assert "was there already" in dedup_("models", "add", made / "other", "--name", "archived").stderr
    assert dedup_("models", "add", made / "scorer", "--name", "archived").exit_code == 0
    rows = json.loads(dedup_("models", "list", "--format", "json").stdout)
    assert [row["name"] for row in rows] == ["shipped", "archived", "archived"]
    assert "archived" in dedup_("models").stdout

    shown = json.loads(dedup_("models", "show", "archived", "--format", "json").stdout)
    assert shown["fingerprint"].startswith(rows[2]["hash"]) and shown["texts_a_second"] > 0
    assert {"architecture", "sources", "measures", "bytes", "command"} <= shown.keys()

    write("pairs.csv", "left,right,label\n" + "Acme Inc,ACME Incorporated,1\nAcme Inc,Zenith Bank,0\n" * 4)
    found = dedup_("models", "compare", "shipped", f"archived@{rows[1]['hash']}", "pairs.csv")
    assert found.exit_code == 0 and "probability brier" in found.stdout

    assert dedup_("models", "remove", "archived").exit_code == USAGE
    for row in rows[1:]:
        assert dedup_("models", "remove", f"archived@{row['hash'][:8]}").exit_code == 0
    assert dedup_("models", "remove", "archived").exit_code == USAGE
    assert len(json.loads(dedup_("models", "list", "--format", "json").stdout)) == 1


def test_a_directory_and_a_registered_model_of_one_name_are_not_confused(made: Path) -> None:
    shutil.copytree(made / "other", "mine")
    assert dedup_("models", "add", made / "scorer", "--name", "mine").exit_code == 0
    refused = dedup_("compare", "a", "b", "--model", "mine")
    assert refused.exit_code == USAGE and "./mine" in refused.stderr
    assert dedup_("compare", "Acme", "Acme Co", "--model", "./mine").exit_code == 0


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "/tmp/x", "", ".", "..", "-x", "a b", "shipped", "0" * 8, "x" * 65, "a@b"]
)
def test_names_that_no_model_can_have(made: Path, name: str) -> None:
    assert dedup_("models", "add", made / "other", f"--name={name}").exit_code == USAGE
    assert not Path("models").exists()


def broken_models(place: Path) -> dict[str, Path]:
    """Return models that are refused, each for a reason of its own."""
    found = {
        what: make_model(place / what) for what in ("hash", "pickle", "extra", "absolute", "parent", "beside", "link")
    }
    with (found["hash"] / "scorer.json").open("ab") as file:
        file.write(b" ")
    (found["pickle"] / "encoder.onnx").write_bytes(pickle.dumps({"weights": [1, 2]}))
    (found["extra"] / "model.pkl").write_bytes(pickle.dumps([1]))
    for what, path in (("absolute", "/etc/passwd"), ("parent", "../../secret"), ("beside", "weights.bin")):
        with (found[what] / "encoder.onnx").open("ab") as file:
            file.write(external_weights(path))
    (place / "words.json").write_bytes((found["link"] / "words.json").read_bytes())
    (found["link"] / "words.json").unlink()
    (found["link"] / "words.json").symlink_to(place / "words.json")
    for what in ("pickle", "absolute", "parent", "beside"):
        with_hashes(found[what])
    return found


def test_models_with_parts_that_a_model_may_not_have_are_refused(tmp_path: Path) -> None:
    write("names.csv", "id,name\n1,Acme\n")
    for what, directory in broken_models(tmp_path / "broken").items():
        refused = dedup_("models", "add", directory)
        assert refused.exit_code == REFUSED, (what, refused.stderr)
        used = dedup_("index", "names.csv", "--model", directory, "-w", f"w-{what}")
        assert used.exit_code == (0 if what == "extra" else VERSION), (what, used.stderr)
    assert [row["name"] for row in json.loads(dedup_("models", "list", "--format", "json").stdout)] == ["shipped"]
