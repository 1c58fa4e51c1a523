"""Cases for the vectors: every file of them, against hashpact_protocol."""
