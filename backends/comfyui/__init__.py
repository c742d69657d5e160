"""A ComfyUI server as a backend: `ComfyBackend` is the port, the rest is how.

backend    keeps the connection, hands out runs
run        one attempt: merges what the socket says with looks at the server
prompt     the prompt of an attempt as it is there: sent, looked for, stopped
workflow   the graph of an attempt, its inputs and the names of its files
endings    how a run ended, and what it made
evidence   what is known of a run besides what its server remembers
pictures   pictures that come over the socket alone
progress   the fraction, step and remaining time of a run
inbox      what the socket heard about a run, kept until it looks
discovery  features and catalog, found out by asking, never by version
client     HTTP; foreign failures become errors of ours here
files      downloads and uploads
socket     the WebSocket
proxy      requests of our clients, passed on
messages   WebSocket messages → typed values
answers    HTTP bodies → typed values
catalog    lists of node classes and models → a catalog
failures   sentences for people from what a server or the network reports
"""
