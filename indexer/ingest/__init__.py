"""Rows to records: every row checked, spooled, encoded and stored in batches."""
