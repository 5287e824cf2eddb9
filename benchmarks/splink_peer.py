"""Find the duplicates of a file of ``fields.py`` with Splink 5, as its tutorials recommend; run by ``fields.py``.

    python splink_peer.py FILE RECORDS.csv DIR

Term frequencies where the library offers them, u by random sampling, the prior by deterministic rules, m by expectation
maximisation under two blocking rules. Writes ``DIR/clusters-THRESHOLD.csv`` for several thresholds, with the columns
``cluster_id`` and ``id``.
"""

import sys
from pathlib import Path

import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLDS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)
SEED = 21
WITH_FREQUENCIES = {
    **dict.fromkeys(("name", "given_name", "surname"), cl.NameComparison),
    **dict.fromkeys(("street", "city"), lambda column: cl.JaroWinklerAtThresholds(column, [0.92, 0.88, 0.7])),
    **dict.fromkeys(("postcode", "phone", "id"), lambda column: cl.LevenshteinAtThresholds(column, [1, 2])),
    **dict.fromkeys(("state", "domain"), cl.ExactMatch),
}
"""What compares each column; the terms of those are weighted by their frequency."""
FILES = {
    "irs_nonprofits_validation": {
        "columns": ("name", "street", "city", "state", "postcode"),
        "blocking": [
            ("name",),
            ("street", "city"),
            ("substr(name, 1, 8)", "city"),
            ("substr(name, 1, 8)", "substr(postcode, 1, 5)"),
        ],
        "certain": [("name", "postcode"), ("name", "street", "city")],
        "training": [("name",), ("street", "city")],
    },
    "chicago_early_childhood": {
        "columns": ("name", "street", "postcode", "phone", "domain"),
        "blocking": [("name",), ("street",), ("phone",), ("substr(name, 1, 5)",), ("substr(street, 1, 6)", "postcode")],
        "certain": [("name", "street"), ("name", "phone")],
        "training": [("name",), ("street",)],
    },
    "febrl3": {
        "columns": ("given_name", "surname", "street", "city", "state", "postcode", "date", "id"),
        "blocking": [
            *(("id",), ("date",), ("street",)),
            *(("surname", "given_name"), ("postcode", "surname"), ("city", "given_name")),
        ],
        "certain": [("id",), ("given_name", "surname", "date")],
        "training": [("surname", "given_name"), ("date",)],
    },
}
FILES["irs_nonprofits_train"] = FILES["irs_nonprofits_validation"]


def comparison(column: str) -> "cl.ComparisonCreator":
    """Return what compares a column."""
    if column == "date":
        return cl.DateOfBirthComparison(column, input_is_string=True, datetime_format="%Y%m%d")
    return WITH_FREQUENCIES[column](column).configure(term_frequency_adjustments=True)


def main() -> None:
    name, path, output = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    asked = FILES[name]
    database = DuckDBAPI()
    columns = ", ".join(f"nullif(trim({column}), '') as {column}" for column in asked["columns"])
    database.duckdb_con.execute(
        f"create table records as select unique_id, {columns} from read_csv(?, all_varchar=true, header=true)", [path]
    )
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=list(map(comparison, asked["columns"])),
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in asked["blocking"]],
        retain_matching_columns=False,
    )
    linker = Linker(database.register("records"), settings)
    certain = [block_on(*rule) for rule in asked["certain"]]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=SEED)
    for rule in asked["training"]:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    predictions = linker.inference.predict(threshold_match_probability=min(THRESHOLDS))
    for threshold in THRESHOLDS:
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold)
        database.duckdb_con.execute(
            f"copy (select cluster_id, unique_id as id from {clusters.physical_name}) "
            f"to '{output}/clusters-{threshold}.csv' (header)"
        )


if __name__ == "__main__":
    main()
