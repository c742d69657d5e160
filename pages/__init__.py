"""The pages, one builder each, and the shell around them.

A page is three steps: load, lay out, wire. Pages may import `components` and `app`.
"""
