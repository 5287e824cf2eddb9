"""What every computation needs: threads, processes, progress, timing and memory."""
