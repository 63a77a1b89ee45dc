"""Training by the step and by the clock, from checkpoints: what is the same for every model that is trained here."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

_TELL_EVERY = 50
_SAVE_EVERY = 200


def arguments(description: str | None, examples: str, *, batch: int, rate: float) -> argparse.Namespace:
    """SOURCE, the file of examples, CHECKPOINTS, and how long and fast. Seeds torch and sets its threads."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument(examples, type=Path)
    parser.add_argument("checkpoints", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--minutes", type=float, default=1e9, help="the learning rate reaches zero by then at the latest"
    )
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    return args


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def halved(where: str) -> Any:
    """In bfloat16, within the block. A processor that only imitates it takes several times as long for it."""
    able = where != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(where, torch.bfloat16, enabled=able)


def train(
    model: Any,
    optimizer: Any,
    loss: Callable[[int], Any],
    steps: int,
    checkpoints: Path,
    *,
    minutes: float,
    warmup: int,
) -> None:
    """Take the steps, each by loss(step), on from the checkpoint if there is one.

    The rates that the groups of the optimizer have now are reached after warmup steps. They fall to zero with the last
    step, or when the minutes are over, those of all runs together.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    checkpoints.mkdir(parents=True, exist_ok=True)
    saved = checkpoints / "state.pt"
    first, spent = 0, 0.0
    if saved.exists():
        state = torch.load(saved, map_location=next(model.parameters()).device)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first, spent = state["step"], state["spent"]
    begun, running = time.monotonic() - spent, 0.0
    for step in range(first, steps):
        done = max(step / steps, (time.monotonic() - begun) / 60 / minutes)
        if done >= 1:
            break
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1, (step + 1) / warmup) * (1 - done)
        value = loss(step)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running += value.item()
        if (step + 1) % _TELL_EVERY == 0:
            at = f"step {step + 1} of {steps}, {(time.monotonic() - begun) / 60:.1f} min, done {done:.1%}"
            print(f"{at}, loss {running / _TELL_EVERY:.4f}", flush=True)
            running = 0.0
        if (step + 1) % _SAVE_EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            torch.save(state | {"spent": time.monotonic() - begun}, saved.with_suffix(".new"))
            saved.with_suffix(".new").replace(saved)
    print(f"trained in {(time.monotonic() - begun) / 60:.0f} minutes", flush=True)
