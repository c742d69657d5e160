"""The FLUX cloud of Black Forest Labs as one more backend; paid.

`bodies` (request → JSON), `answers` (JSON → values), `client` (HTTP), `order` (what is bought, and
its money), `run` (one attempt), `backend` (the port). May import `app`; knows neither `data` nor
the pages.
"""
