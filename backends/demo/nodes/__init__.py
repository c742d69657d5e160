"""The node classes the engine can run, each a coroutine from inputs to outputs.

`base` holds what travels along the links, `table` the list of them all. Imports the painter and
the engine's files; knows nothing of queue, sockets and history.
"""
