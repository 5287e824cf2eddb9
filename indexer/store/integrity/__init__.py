"""What a sound database looks like: its tables, the values of every column, and its settings."""
