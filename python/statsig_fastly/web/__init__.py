"""Sending events when there is time for it: after a response, a task, an invocation.

`asgi` and `wsgi` have a middleware each, `flush_after` has what wraps any function. None of them imports a
framework.
"""
