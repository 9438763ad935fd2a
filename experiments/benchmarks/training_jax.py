"""Training with JAX, a job in a process of its own; started by ``training.py``.

No library of spiking networks, but the model written out as one ``lax.scan``, which is what they
come down to (Spyx takes as long).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import training_tasks as tasks


@jax.custom_jvp
def fire(v: Any) -> Any:
    """Return the spikes of potentials, with the surrogate as derivative."""
    return (v > 1.0).astype(v.dtype)


@fire.defjvp
def _fire_jvp(primals: Any, tangents: Any) -> Any:
    (v,), (tangent,) = primals, tangents
    return fire(v), tangent / (1.0 + tasks.SLOPE * jnp.abs(v - 1.0)) ** 2


def scores(weights: dict[str, Any], x: Any) -> Any:
    """Return the largest potential of each output."""

    def step(state: Any, drive: Any) -> Any:
        i_syn, v, spikes, i_out, v_out = state
        if "w_rec" in weights:
            drive = drive + spikes @ weights["w_rec"]
        i_syn = tasks.DECAY_SYN * i_syn + drive
        v = tasks.DECAY_M * v + i_syn - jax.lax.stop_gradient(spikes)
        spikes = fire(v)
        i_out = tasks.DECAY_SYN * i_out + spikes @ weights["w_out"]
        v_out = tasks.DECAY_M * v_out + i_out
        return (i_syn, v, spikes, i_out, v_out), v_out

    hidden, out = (jnp.zeros((x.shape[1], weights[name].shape[1])) for name in ("w", "w_out"))
    _, v_out = jax.lax.scan(step, (hidden, hidden, hidden, out, out), x @ weights["w"])
    return v_out.max(0)


def loss_of(weights: dict[str, Any], x: Any, labels: Any) -> Any:
    """Return the mean cross-entropy, and the share of right answers."""
    found = scores(weights, x)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(found), labels[:, None], axis=1)
    return -chosen.mean(), (found.argmax(1) == labels).mean()


@partial(jax.jit, static_argnames="learning_rate")
def update(state: Any, x: Any, labels: Any, learning_rate: float) -> Any:
    """Return the state after a step of Adam on a batch; its loss, and share of right answers."""
    weights, first, second, n = state
    (loss, right), grad = jax.value_and_grad(loss_of, has_aux=True)(weights, x, labels)
    n = n + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grad)
    second = jax.tree.map(lambda m, g: 0.999 * m + 0.001 * g * g, second, grad)
    rate = learning_rate * jnp.sqrt(1.0 - 0.999**n) / (1.0 - 0.9**n)
    weights = jax.tree.map(
        lambda w, m, s: w - rate * m / (jnp.sqrt(s) + 1e-8), weights, first, second
    )
    return (weights, first, second, n), loss, right


def prepare(job: dict[str, Any], data: dict[str, Any]) -> tasks.Run:
    """Return what is to be repeated."""
    names = ("w", "w_rec", "w_out") if job["model"] == "recurrent" else ("w", "w_out")
    weights = {name: jnp.asarray(data[name], jnp.float32) for name in names}
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, zeros, zeros, jnp.zeros((), jnp.int32))
    if job["task"] == "Yin-Yang":
        return tasks.Run(_yin_yang(job, data, state), jax.__version__)
    x, labels = jnp.asarray(data["x"]), jnp.asarray(data["labels"])
    if job["mode"] == "inference":
        infer = jax.jit(loss_of)
        return tasks.Run(lambda: float(infer(weights, x, labels)[0]), jax.__version__)

    def step() -> float:
        nonlocal state
        state, loss, _ = update(state, x, labels, tasks.LEARNING_RATE)
        return float(loss)

    return tasks.Run(step, jax.__version__)


def _yin_yang(job: dict[str, Any], data: dict[str, Any], state: Any) -> Any:
    features, labels = data["features"], data["labels"]
    if job["model"] == "latency":
        x = tasks.latency_spikes(features)
    else:
        x = tasks.DirectCurrent(20).encode(features).astype(np.float32)
    rng = np.random.default_rng(0)

    def epoch() -> float:
        nonlocal state
        order, right = rng.permutation(len(labels)), []
        for first in range(0, len(order), 64):
            batch = order[first : first + 64]
            state, _, share = update(state, x[:, batch], labels[batch], 4e-3)
            right.append(len(batch) * share)
        return float(sum(right)) / len(labels)

    return epoch


if __name__ == "__main__":
    tasks.main(prepare)
