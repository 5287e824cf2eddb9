"""Evidence on two names of persons: given names, surnames, initials, titles."""
