"""Graphs in ComfyUI's API format, built by pure functions: a request and a catalog in, a graph out.

May import `app.models` and `app.errors`; knows no network and no files.
"""
