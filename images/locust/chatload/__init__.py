"""The load lab's generator: what a person feels, and proof of what arrived.

Rooms, from the pure ones to the ones with sockets:

========== ==========================================================================
wire       frames of the chat, to the letter of the wire contract (pure)
mark       what a load message carries in its content: run, poster, sequence (pure)
ranges     sets of integers kept as ranges (pure)
books      what posters sent, when, and under which id it was acknowledged (pure)
roll       what one process was shown of a topic, each message once (pure)
reader     what one reader was shown, and from where on it is owed (pure)
canon      all messages that there are, from books and history (pure)
verdict    what that proves, in numbers (pure)
ledger     one process's books, rolls and readers, held against the canon (pure)
text       the contract's rules of text (pure)
rooms      what was done in private rooms, who was shown it, what that proves (pure)
conversation replies, votes, deletions, filters, against what was acknowledged (pure)
findings   what those two found, in numbers (pure)
filters    filter expressions, as the server reads them (pure)
timing     histograms with at most 1 % error, rows and seconds of a run (pure)
schedule   Poisson arrivals and stages over time, from a seed (pure)
clock      one clock for all workers, with its error (pure)
gates      when a run measured the generator and not the server (pure)
options    every setting, checked, as command-line flags and form fields
bench      what a client needs of its load process
transport  websocket-client: a cheaper socket, words for its failures
client     one person's connection: one socket, one reader, reconnect and resume
outbox     a poster's posts: one at a time, retried with the same key
pages      pages of history, and reading a topic back to its beginning
person     what a simulated person can do, as a Locust user (the kinds: locustfile.py)
accounts   accounts made before a run, and dealt to the workers
participant one person's socket with an account, a filter, or neither
members    the people of one private room
talkers    one worker's conversation
crews      all people with accounts of one process
probe      workers for the few people who measure (proberunner: Locust's part of it)
dispatch   how many users of each kind, and on which workers
vitals     how a load process itself is: CPU, lag
posting    who posts when, and where each post that was due ended
worker     one load process: its messages with the master
heartbeat  how a worker knows that its master lives, and comes back to one
ending     the end of a run in a worker: books, histories, hearing out
tables     our rows in Locust's own tables
run        one run's record on the master: evidence, exit code, summary
master     leads runs: start, shares, the stop
closing    the end of a run on the master: from the last post to the verdict
artefacts  what a run leaves on disk
targets    which chats may be loaded (pure)
form       Start and Edit of the web UI: what is refused, and why
webtab     what the lab adds to the web UI: the Chat tab, checks, downloads (weblogin: the login)
setup      puts all this into Locust
========== ==========================================================================

A worker speaks with the master in Locust's own messages (all named ``chat_…``); in a single-process
run (no ``--master``) both sides live in one process and the messages are calls. Each has ``run`` in
its data, and those of a worker its number as ``worker``.

=============  =========  ==========================================================================
message        direction  data
=============  =========  ==========================================================================
chat_start     to worker  options, targets, boot (kernel id), elapsed (µs since the run began),
                          probed (whether some workers are probes), hands (of accounts and rooms,
                          by Locust's id of the worker)
chat_rate      to worker  rate: this worker's posts a second
chat_ping      to master  asked: our clock, µs
chat_pong      to worker  asked, clock (the master's), boot; ``run`` is the last one, or "";
                          on: whether it is on
chat_join      to master  we are not in the run that is on: tell us about it
chat_report    to master  one second: second, slot, counts, pods, posters, users, cpu, evidence
chat_drain     to worker  stop posting; wait for answers; close the books
chat_posted    to master  books
chat_look      to worker  topics to read back to their beginning
chat_busy      to master  a long step goes on
chat_looked    to master  histories by topic, null for one that could not be read
chat_settle    to worker  canons by topic; wait for deliveries, then compare
chat_settled   to master  verdict, strays, unfinished, evidence, people (where it has some)
=============  =========  ==========================================================================
"""
