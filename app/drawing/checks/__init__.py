"""What is wrong with a drawn workflow, and which backends can run its graph.

May import the modules of `app.drawing` itself, not its other packages.
"""
