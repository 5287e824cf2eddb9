"""Where things of the repository are."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
FAULTS = ROOT / "tests" / "faults"
