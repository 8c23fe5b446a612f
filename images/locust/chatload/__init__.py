"""The load lab's generator: what a person feels, and proof of what arrived.

Rooms, from the pure ones to the ones with sockets:

========== ==========================================================================
wire       frames of the chat, to the letter of the wire contract (pure)
mark       what a load message carries in its content: run, poster, sequence (pure)
ranges     sets of integers kept as ranges (pure)
ledger     who sent what, who was shown what, and the verdict (pure)
timing     histograms with at most 1 % error, rows and seconds of a run (pure)
schedule   Poisson arrivals and stages over time, from a seed (pure)
clock      one clock for all workers, with its error (pure)
gates      when a run measured the generator and not the server (pure)
options    every setting, checked, as command-line flags and form fields
client     one person's connection: one socket, one reader, reconnect and resume
users      the kinds of people, as Locust users
worker     one load process: schedule, ledger, reports
master     the run as a whole: drain, settle, verdict, exit code
artefacts  what a run leaves on disk
webtab     the Chat tab of Locust's web UI
========== ==========================================================================
"""
