"""scripts/bench NAME [options]"""

import importlib
import sys

NAMES = (
    "economy",
    "followups",
    "growth",
    "ingest",
    "injection",
    "learning",
    "lookup",
    "memory",
    "miss",
    "reading",
    "retrieval",
    "rights",
    "same_question",
    "vectors",
)

if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
    sys.exit(f"usage: scripts/bench {{{','.join(NAMES)}}} [options]")
importlib.import_module(f"benchmarks.bench_{sys.argv.pop(1)}").main()
