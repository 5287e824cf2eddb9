"""The shipped model: what it must call the same and what it must not."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.encoder.cosine import cosine, norms
from dedup.errors import VersionMismatch
from dedup.model import load_model
from dedup.text.normalise import normalise


@pytest.fixture(scope="module")
def model():
    return load_model()


def explain(model, left, right):
    left, right = normalise(left), normalise(right)
    codes = model.encoder.encode([left, right])
    return model.explain(left, right, float(cosine(codes[:1], codes[1:])[0]))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Deutsche Bank AG", "Deutsche Bank"),
        ("Deutsche Bank AG", "Deutsche Bank Aktiengesellschaft"),
        ("TETRA PAK MATERIALS LLC", "TETRA PARK MATERIALS LLC"),
        ("Infosys Technologies Limited", "Infosys Technologies Ltd."),
        ("PUTNAM COUNTY MEMORIAL HOSP", "PUTNAM COUNTY MEMORIAL HOSPITAL"),
        ("Aero Jet General Corp", "Aerojet General Corporation"),
        ("Газпром", "Gazprom"),
        ("3M", "3M Company"),
        ("HP", "HP Inc."),
        ("H.P.", "hp"),
        ("Consulting", "Consulting Inc"),
        ("A B C Ltd", "ABC Ltd"),
        ("Juniper Granite Inc d/b/a Cobalt Foods", "Cobalt Foods"),
        ("Temple University", "Temple Universty"),
        ("Acme (Ohio)", "Acme Ohio"),
    ],
)
def test_the_same(model, left, right):
    assert explain(model, left, right).probability >= model.default_probability


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Fund I", "Fund II"),
        ("Store 101", "Store 102"),
        ("Acme (Delaware)", "Acme (Ohio)"),
        ("Royal Bank", "Royal Mail"),
        ("First National Bank of Dallas", "First National Bank of Austin"),
        ("HP", "BP"),
        ("3M", "HP"),
        ("A", "B"),
        ("Consulting", "Construction"),
        ("Systems", "Solutions"),
        ("Delta Dental of Iowa", "Delta Dental of Ohio"),
        ("Mercury Insurance", "Mercy Insurance"),
        ("Smith Plumbing", "Smith Roofing"),
        ("Home Equity Loan Trust 2006-1", "Home Equity Loan Trust 2006-2"),
        ("General Electric", "General Electric Pension Trust"),
        ("Microsoft Corporation", "Oracle Corporation"),
    ],
)
def test_different(model, left, right):
    assert explain(model, left, right).probability < model.default_probability


def test_another_legal_form_says_less_than_the_same_one_written_out(model):
    other = explain(model, "Deutsche Bank AG", "Deutsche Bank GmbH").probability
    assert other < explain(model, "Deutsche Bank AG", "Deutsche Bank Aktiengesellschaft").probability


def test_equal_names_are_surely_the_same(model):
    for name in ("3M", "Consulting", "First National Bank of Dallas", "株式会社", "a"):
        assert explain(model, name, name.lower()).probability > 0.88


def test_codes_do_not_depend_on_the_batch(model):
    texts = ["acme", "royal bank of scotland", "3m", "a " * 200, "日立", "☂"]
    together = model.encoder.encode(texts)
    alone = np.concatenate([model.encoder.encode([text]) for text in texts])
    assert np.abs(together.astype(int) - alone).max() <= 1  # rounding of float sums, no padding effect
    assert together.shape == (6, model.dimension) and together.dtype == np.int8


@settings(max_examples=50)
@given(st.text())
def test_every_text_has_a_vector(model, text):
    normal = normalise(text)
    if normal:
        assert norms(model.encoder.encode([normal]))[0] > 100


def test_a_changed_file_is_refused(model, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(model.directory, copy)
    (copy / "scorer.json").write_bytes((copy / "scorer.json").read_bytes() + b" ")
    with pytest.raises(VersionMismatch, match=r"scorer\.json does not match the hash in the manifest"):
        load_model(copy)


def test_another_normaliser_is_refused(model, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(model.directory, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "normaliser_version": 99}))
    with pytest.raises(VersionMismatch, match="normaliser_version 99"):
        load_model(copy)


def test_a_missing_model_is_refused(tmp_path):
    with pytest.raises(VersionMismatch, match="contains no readable model"):
        load_model(tmp_path)


def test_the_manifest_names_its_sources_and_its_command(model):
    assert model.manifest["command"].startswith("dedup train ")
    assert all(model.manifest["sources"].values())
    assert model.manifest["measures"]["company_validation_h1b"]["best_f1"] >= 0.935
    assert model.manifest["measures"]["company_validation_nber"]["best_f1"] >= 0.86
