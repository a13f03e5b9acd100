"""What a person is told who looks at nothing: messages to the destinations of `notify`, metrics.

`alert` has one thing to tell, `judging` finds all of them in what the commands found, and `moved`
the closed months that a load changed. `memory` decides whether they are told now, `messages` says
them, and `sending` brings them to a destination. `metrics` is for Prometheus.

Pure: alert, memory.
May import: costs, disk, loading, looking, settings, text.
"""
