"""The fields of the records of a store, or of rows in memory, as evidence beside their texts."""
