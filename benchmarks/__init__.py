"""Programs that measure what Zuinig promises. See README.md."""
