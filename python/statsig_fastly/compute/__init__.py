"""Inside a Fastly Compute service: what takes the place of threads, sockets and files there.

`wsgi` serves an application and sends its events after each response; `exchange` is what it has of the host.
`backend` and `log_endpoint` carry events, `baked` keeps a ruleset in the component. `engine` and `imports`
are for the build. The adapters for the stores are in `statsig_fastly.adapters.compute`.
"""
