"""The engine of statsig-fastly for Fastly Compute: a side module for WebAssembly, and nothing else.

`fastly-compute-py build` links it into the component; `statsig_fastly` finds it there.
"""
