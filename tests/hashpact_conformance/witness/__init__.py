"""Cases for a witness: C2SP tlog-witness, its status codes, races and refusals."""
