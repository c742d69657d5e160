"""Persistence: SQL stores, picture files and migrations, behind the protocols of `app.ports`.

Imports `app` (not `app.api`), SQLAlchemy and Pillow; never `backends`, `components` or `pages`.
This is the package, not a runtime folder: everything written at run time lives under
`Settings.home`.
"""
