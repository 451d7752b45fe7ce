"""Filling a store, and looking after what is in it: what the commands of `statsig-fastly` do, as a library.

`Publisher` takes config specs from an adapter to a store; the other modules look at payloads before that.
Nothing here is imported with the package.
"""
