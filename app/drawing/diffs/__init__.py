"""What is different between two versions of a drawn workflow, in words and for the canvas.

May import `app.drawing.checks`.
"""
