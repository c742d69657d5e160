"""The drawn workflow, as people see it on the canvas, and what is done with it by pure functions.

What node classes take (`schema`), what is drawn of them (`diagram`), the graph that runs
(`convert`), and packages for files, checks, differences, the form and editing. May import
`app.graphs`, `app.models`, `app.errors` and `app.said`; knows no network and no services.
"""
