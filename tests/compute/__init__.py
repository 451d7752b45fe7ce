"""A component of `statsig_fastly` in a Fastly Compute sandbox, in wasmtime and without Fastly's tools."""
