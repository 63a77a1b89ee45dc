"""scripts/bench NAME [options]"""

import importlib
import sys

NAMES = ("followups", "growth", "ingest", "lookup", "memory", "miss", "retrieval", "same_question")

if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
    sys.exit(f"usage: scripts/bench {{{','.join(NAMES)}}} [options]")
importlib.import_module(f"benchmarks.bench_{sys.argv.pop(1)}").main()
