"""Plant physics and devices on the wire, for tests, demos and replay."""
