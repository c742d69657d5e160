"""Drawn workflows read from files of strangers, and written as ComfyUI keeps them.

May import the modules of `app.drawing` itself, not its other packages.
"""
