"""What loading costs, against floors and peers: `just bench`, told in docs/benchmarks.md."""
