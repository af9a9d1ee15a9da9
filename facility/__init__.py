"""What the plant is and what its numbers mean: no I/O, no asyncio, nothing third-party but numpy."""
