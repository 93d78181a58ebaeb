"""Whom the watch tells: a broker, webhooks, and what Apprise reaches.

Messages come from the outbox of the store, in order, each until it is acknowledged.
"""
