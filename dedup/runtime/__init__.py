"""Infrastructure for every computation: threads, processes, progress, timing, memory, versions."""
