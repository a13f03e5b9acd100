"""The clouds, on this machine: servers that tests talk to over HTTP as if to the real ones."""
