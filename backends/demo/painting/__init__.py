"""The painter of the demo engine: procedural pictures from words, made with numpy and Pillow alone.

`painter.py` is the public face; `words.py` reads the prompt, `palette.py` and `noise.py` are the
paint box, `canvas.py` the easel, and each `scenes_*.py` holds a few pictures. Imports nothing from
the rest of the application.
"""
