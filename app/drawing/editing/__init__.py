"""What people do on the canvas, as operations, and the diagram after each.

May import `app.drawing.files` and `app.drawing.form`.
"""
