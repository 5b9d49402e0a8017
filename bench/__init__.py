"""What nbbg costs, beside its peers: `scripts/bench` writes `docs/benchmarks.md`.

It reads /proc, so it needs Linux.
"""
