"""What the Python API returns: small frozen objects that know their rows and turn into tables."""
