"""The form that a drawn workflow makes: which widgets are fields, and what they are called.

May import the modules of `app.drawing` itself, not its other packages.
"""
