"""The HTTP API: one router per family, thin over the services, with OpenAPI at `/docs`.

The only part of `app` that imports FastAPI.
"""
