"""A ComfyUI server as a backend: `ComfyBackend` is the port, the rest is how.

backend   keeps the connection, hands out runs
run       one attempt: merges what the socket says with looks at queue, history and files
endings   how a run ended
progress  the fraction, step and remaining time of a run
inbox     what the socket heard about a run, kept until it looks
client    HTTP; foreign failures become errors of ours here
socket    the WebSocket
messages  WebSocket messages → typed values
answers   HTTP bodies → typed values
failures  sentences for people from what a server or the network reports
"""
