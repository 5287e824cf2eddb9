"""Training of the shipped model; the only package that imports torch."""

import os
from pathlib import Path

# To import an optimiser of torch makes a folder for compiled code among the temporary files, under a name that any user
# of the machine can take first. Nothing is compiled here, so the folder may as well be one that exists.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(__file__).parent))
