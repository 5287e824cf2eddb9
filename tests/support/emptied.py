"""Empty a PostgreSQL database without creating it anew."""

from __future__ import annotations

from indexer.store.schema import metadata, store_meta

EMPTY = f"TRUNCATE {', '.join(table.name for table in metadata.sorted_tables if table is not store_meta)}"
"""Removes all rows but those of ``store_meta``."""
