"""Many pairs at once: ruled out by cheap upper bounds, or compared in several processes."""
