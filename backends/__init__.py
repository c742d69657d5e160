"""Machines that make pictures: each package here implements the port `app.ports.Backend`.

May import `app` (models, errors, ports, config, graphs), never `app.api`, `data` or the UI.
"""
