"""How the platform and the servers around it are started, with containers or without."""
