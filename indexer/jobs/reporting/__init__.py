"""What a report shows beside its tables."""
