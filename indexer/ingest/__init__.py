"""Turn rows into records: check, spool, encode and store them in batches."""
