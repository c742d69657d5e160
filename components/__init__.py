"""The visual parts of the pages.

Each live or large part is a folder: a Python class and a plain `.js` ES module (a Vue options
object, no build step). Components get values and callbacks; they may import `app`, never `pages`.
"""
