"""The keys of a member: who may sign, with what, and until when."""
