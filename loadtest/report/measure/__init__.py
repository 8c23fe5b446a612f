"""Measurements that only the report needs. Each leaves a folder in ``results/``.

=========== ================================================================
costs       memory a connection, processor time a delivery and a message in Redis
journey     one message from the post to the screen, hop by hop
screens     pictures of Locust's web interface
stamp       how a folder was made
footprint   the Go program that costs uses: many connections, and a server to compare with
=========== ================================================================
"""
