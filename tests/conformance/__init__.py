"""The conformance suite: this package has to answer every check as the official server core does.

`matrix` crosses operators, targets and user values; `scenarios` writes out every small arrangement of
rules, layers, nested gates and further features; `generator` makes seeded random payloads, some of them
with faults. Each makes `Case`s; `compare` asks both engines and `shrink` makes a difference small.
`python -m conformance` runs any number of checks.
"""
