"""Graphs in ComfyUI's API format, built by pure functions: a request and a catalog in, a graph out.

May import `app.models`, `app.errors` and `app.said`; knows no network and no files.
"""
