"""The core: what a job, an attempt, an image and a backend are, and what happens to them.

Imports the standard library and pydantic only (`app.api` alone adds FastAPI). It never sees a
database, a socket or a page: those reach it through the protocols of `app.ports`.
"""
