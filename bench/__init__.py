"""What nbbg costs, beside its peers: `scripts/bench` writes `docs/benchmarks.md`.

`measure` has the rounds, medians and ratios, `bench` takes a table, `kept` keeps its figures, and
`page` writes them with `pictures`. One module of `questions` is one part of the page. The rest are
experiments that take no times: `statistics`, and `peers_killed`. It reads /proc, so it needs Linux.
"""
