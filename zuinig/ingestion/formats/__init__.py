"""One format family a module: what a file is made of, as blocks in reading order.

A module has `LABELS: frozenset[str]`, the magika labels it reads, and `read(path: Path) -> Parsed`, which raises
DocumentError with a code and a sentence that a person can act on. Modules are found by themselves; names that begin
with an underscore are helpers. The readers trust no byte of a file and no library with it: the service runs them in the
child process of `ingestion.parse`, which has limits.

Codes of the errors: encrypted, corrupt, empty, no_text_layer, too_large, unsupported; the supervisor of the child adds
timeout, out_of_memory and crashed.
"""
