"""A small server that speaks ComfyUI's protocol and paints instead of running a model.

May import the standard library, starlette, uvicorn, numpy, Pillow and av; nothing of the app.
`engine` holds the server's state, `server` serves it, `python -m backends.demo` runs it alone.
"""
