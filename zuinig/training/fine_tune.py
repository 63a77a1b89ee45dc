"""Go on training a model on a few hundred examples without losing what it knew.

A small rate, few passes, the best of them on examples that were not trained on; then the weights are drawn back towards
those it began with as far as those examples like it (weights interpolated after fine-tuning, Wortsman et al. 2022). A
checkpoint is written now and then, and a training that broke off goes on from it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Protocol, TypeVar

import torch

T = TypeVar("T")
_DRAWN_BACK = (1.0, 0.7, 0.4)
_CHECKPOINT_EVERY_S = 30.0
_TELL_EVERY_S = 5.0
_WARMUP = 20  # steps


@dataclass(frozen=True, slots=True)
class Plan:
    """rate: of the layers; a head learns times as fast. minutes: the rate reaches zero by then at the latest."""

    passes: int
    batch: int
    rate: float
    minutes: float


class Told(Protocol):
    """Called with a line for people."""

    def __call__(self, line: str) -> None: ...


def fine_tune(
    model: Any,
    lessons: Sequence[T],
    tune: Sequence[T],
    loss: Callable[[Any, Sequence[T]], Any],
    plan: Plan,
    saved: Path,
    told: Told,
) -> None:
    """Train the model in place. loss: the mean over some lessons. saved: the checkpoint, gone on from if it is there.

    The vectors of words stay as they are: rare words keep their meaning. No weight is drawn towards zero.
    """
    torch.manual_seed(1)
    model.train()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(".embeddings." not in name)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, plan.rate, weight_decay=0.0)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    steps = [batch for n in range(plan.passes) for batch in _batches(len(lessons), plan.batch, seed=n)]
    a_pass = len(steps) // plan.passes
    if saved.exists():
        state = _resume(saved, model, optimizer)
        told(f"goes on from step {state.step} of {len(steps)}")
    else:
        state = _Progress(best=_mean(model, tune, loss, plan.batch), kept=first)
        told(f"{len(lessons)} examples, {len(steps)} steps; loss before, on {len(tune)} others: {state.best:.4f}")
    begun, told_at, saved_at, running = time.monotonic() - state.spent, 0.0, time.monotonic(), 0.0
    for step in range(state.step, len(steps)):
        done = max(step / len(steps), (time.monotonic() - begun) / 60 / plan.minutes)
        if done >= 1:
            told(f"the time is up at step {step} of {len(steps)}")
            break
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * min(1, (step + 1) / _WARMUP) * (1 - done)
        value = loss(model, [lessons[i] for i in steps[step]])
        value.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        running = value.item() if step == state.step else 0.95 * running + 0.05 * value.item()
        state.step, state.spent = step + 1, time.monotonic() - begun
        if time.monotonic() - told_at > _TELL_EVERY_S:
            left = min(state.spent / state.step * (len(steps) - state.step), plan.minutes * 60 - state.spent)
            told(f"step {state.step} of {len(steps)}, loss {running:.4f}, {max(left, 0) / 60:.1f} min left")
            told_at = time.monotonic()
        if state.step % a_pass == 0:
            _keep_if_better(state, model, _mean(model, tune, loss, plan.batch), told)
        if time.monotonic() - saved_at > _CHECKPOINT_EVERY_S:
            _save(saved, model, optimizer, state)
            saved_at = time.monotonic()
    if state.step % a_pass:
        _keep_if_better(state, model, _mean(model, tune, loss, plan.batch), told)
    _draw_back(model, first, state, lambda: _mean(model, tune, loss, plan.batch), told)
    model.eval()


@dataclass(slots=True)
class _Progress:
    """best: the least loss on what was not trained on; kept: the weights that had it. spent: seconds."""

    best: float
    kept: dict[str, Any]
    step: int = 0
    spent: float = 0.0


def _keep_if_better(state: _Progress, model: Any, found: float, told: Told) -> None:
    told(f"after step {state.step}: loss on others {found:.4f}, the best so far {min(found, state.best):.4f}")
    if found < state.best:
        state.best, state.kept = found, {name: value.clone() for name, value in model.state_dict().items()}


def _draw_back(model: Any, first: dict[str, Any], state: _Progress, measure: Callable[[], float], told: Told) -> None:
    """Give the model the best weights between those that it began with and those that were kept."""
    last, chosen = state.kept, (state.best, 1.0)
    for share in _DRAWN_BACK[1:]:
        model.load_state_dict(_between(first, last, share))
        chosen = min(chosen, (measure(), share))
    model.load_state_dict(_between(first, last, chosen[1]))
    told(f"{chosen[1]:.0%} of the way is kept, loss on others {chosen[0]:.4f}")


def _between(first: dict[str, Any], last: dict[str, Any], share: float) -> dict[str, Any]:
    return {
        name: torch.lerp(first[name], last[name], share) if first[name].is_floating_point() else last[name]
        for name in last
    }


def _mean(model: Any, lessons: Sequence[T], loss: Callable[[Any, Sequence[T]], Any], batch: int) -> float:
    """Over all of them, without learning."""
    total = 0.0
    model.eval()
    with torch.no_grad():
        for at in range(0, len(lessons), batch):
            part = lessons[at : at + batch]
            total += loss(model, part).item() * len(part)
    model.train()
    return total / max(len(lessons), 1)


def _batches(count: int, size: int, *, seed: int) -> Iterator[list[int]]:
    order = list(range(count))
    Random(seed).shuffle(order)
    for at in range(0, count, size):
        yield order[at : at + size]


def _save(path: Path, model: Any, optimizer: Any, state: _Progress) -> None:
    fresh = path.with_suffix(".new")
    kept = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(kept | {"best": state.best, "kept": state.kept, "step": state.step, "spent": state.spent}, fresh)
    fresh.replace(path)


def _resume(path: Path, model: Any, optimizer: Any) -> _Progress:
    found = torch.load(path)
    model.load_state_dict(found["model"])
    optimizer.load_state_dict(found["optimizer"])
    return _Progress(found["best"], found["kept"], found["step"], found["spent"])
