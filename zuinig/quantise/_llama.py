"""Run as a program by `gguf.shrink`: SOURCE TARGET FTYPE. Exit code 0, or the reason on the last line of stderr."""

import ctypes
import sys

import llama_cpp


def main() -> int:
    source, target, ftype = sys.argv[1:]
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = int(ftype)
    return int(llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))


if __name__ == "__main__":
    raise SystemExit(main())
