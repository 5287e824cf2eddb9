"""``dedup models``: list, show, add and remove models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import options
from cli.options import Format, ReportFormat
from cli.show.notes import say
from cli.show.render import spaced, write_rows, write_summary
from dedup.runtime.threads import compute_with

EXAMPLES = options.examples("dedup models", "dedup models add my_model", "dedup models show my_model")
LIST_EXAMPLES = options.examples("dedup models list", "dedup models list --format json")
SHOW_EXAMPLES = options.examples("dedup models show shipped", "dedup models show my_model --format json")
ADD_EXAMPLES = options.examples("dedup models add my_model", "dedup models add model.tar.gz --name companies")
REMOVE_EXAMPLES = options.examples("dedup models remove companies", "dedup models remove companies@3f2a91c0")

_SHOWN = ("name", "hash", "architecture", "dimension", "MiB", "added")

Named = Annotated[str, typer.Argument(metavar="MODEL", help="Name, name@hash, directory, or shipped.")]


def models(context: typer.Context) -> None:
    """List, show, compare, add and remove models.

    Without a command, lists the models. Registered models lie in DEDUP_MODELS, or in neardup/models of the user's
    data directory, and --model finds them by their names; an index finds its own by its hash.
    """
    if context.invoked_subcommand is None:
        _write_list(as_json=False)


def list_models(layout: options.Output = ReportFormat.table) -> None:
    """List the model that ships with neardup and the registered ones.

    Of several models of one name, the last one is the one that the name means; name@hash means any of them.
    """
    _write_list(as_json=layout is ReportFormat.json)


def _write_list(*, as_json: bool) -> None:
    from indexer.models.description import listed

    found = listed()
    if as_json:
        write_rows(found, Format.json, sys.stdout)
        return
    rows: list[dict[str, Any]] = [
        row | {"MiB": None if row["bytes"] is None else f"{row['bytes'] / (1 << 20):.1f}"} for row in found
    ]
    write_rows(({name: row[name] for name in _SHOWN} for row in rows), Format.table, sys.stdout)


def show(model: Named, layout: options.Output = ReportFormat.table, threads: options.Threads = None) -> None:
    """Show the architecture, data, measures, size and speed of a model.

    The speed is measured: short names that are encoded in a second on this machine.
    """
    compute_with(threads)

    from indexer.models.choice import named_model
    from indexer.models.description import described

    found = described(named_model(model))
    as_json = layout is ReportFormat.json
    write_summary(found if as_json else spaced(found), sys.stdout, as_json=as_json)


def add(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="Directory of a model, or an archive of one: zip, tar or tar.gz.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the model. Default: that of the directory.")
    ] = None,
) -> None:
    """Register a copy of a model, so that --model finds it by its name, and an index by its hash.

    Only the files of a model are copied. Links, paths that lead elsewhere, pickles, ONNX files that keep weights in
    other files, and files that do not match their hashes are refused.
    """
    from indexer.models.registry import add_model

    found, is_new = add_model(source, name)
    say(f"{'Added' if is_new else 'It was there already:'} {found.full_name}. Use it with --model {found.name}.")


def remove(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name, or name@hash if several have the name.")],
) -> None:
    """Delete a registered model.

    An index that was made with it then needs the directory of a copy (--model), or another model.
    """
    from indexer.models.registry import remove_model

    say(f"Removed {remove_model(model).full_name}.")
