"""A site collected by several processes: shards on other machines, workers on this one, and their head."""
