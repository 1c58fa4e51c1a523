"""The conformance suite of Hashpact: checks any node from outside, whoever wrote it.

It knows the protocol (``hashpact_protocol``) and nothing of how our own node is built. ``docs/conformance.md`` says how
to use it and, normatively, how it calls a node under test.
"""
