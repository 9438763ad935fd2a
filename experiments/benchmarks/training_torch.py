"""Training with libraries on PyTorch, a job in a process of its own; started by ``training.py``.

``reference`` is no library: the model written out by hand, each scan over time one node of the
graph. Norse resets to zero instead of subtracting, so its spikes are others after the first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2]))
from experiments.benchmarks import training_tasks as tasks


def parameter(w: np.ndarray) -> nn.Parameter:
    """Return weights as PyTorch has them, shape (n_post, n_pre)."""
    return nn.Parameter(torch.tensor(w.T, dtype=torch.float32).contiguous())


def linear(w: np.ndarray) -> nn.Linear:
    """Return a linear map without bias."""
    found = nn.Linear(*w.shape, bias=False)
    found.weight = parameter(w)
    return found


class Spiking(torch.autograd.Function):
    """Hidden units over all steps: weighted input in, spikes out."""

    @staticmethod
    def forward(ctx, drive, w_rec, decay_syn, decay_m):
        """Return spikes, shape (n_steps, n_trials, n_units)."""
        v, spikes = torch.empty_like(drive), torch.empty_like(drive)
        i_syn, before = torch.zeros_like(drive[0]), torch.zeros_like(drive[0])
        last = torch.zeros_like(before)
        for k in range(len(drive)):
            i_syn.mul_(decay_syn).add_(drive[k])
            if w_rec is not None:
                i_syn.addmm_(last, w_rec.t())
            torch.mul(before, decay_m, out=v[k])
            v[k].add_(i_syn).sub_(last)
            torch.gt(v[k], 1.0, out=spikes[k])
            before, last = v[k], spikes[k]
        ctx.save_for_backward(v, spikes, w_rec)
        ctx.decays = decay_syn, decay_m
        return spikes

    @staticmethod
    def backward(ctx, grad):
        """Return the gradients by weighted input and recurrent weights; the reset is detached."""
        v, spikes, w_rec = ctx.saved_tensors
        decay_syn, decay_m = ctx.decays
        grad_drive = torch.empty_like(v)
        grad_v, grad_i = torch.zeros_like(v[0]), torch.zeros_like(v[0])
        for k in range(len(v) - 1, -1, -1):
            by_spike = grad[k] if w_rec is None else torch.addmm(grad[k], grad_i, w_rec)
            factor = (v[k] - 1.0).abs_().mul_(tasks.SLOPE).add_(1.0).pow_(-2)
            grad_v.mul_(decay_m).addcmul_(factor, by_spike)
            grad_i.mul_(decay_syn).add_(grad_v)
            grad_drive[k] = grad_i
        grad_rec = None
        if w_rec is not None:
            grad_rec = grad_drive[1:].flatten(0, 1).t() @ spikes[:-1].flatten(0, 1)
        return grad_drive, grad_rec, None, None


class Leaky(torch.autograd.Function):
    """Output units over all steps: weighted input in, potentials out."""

    @staticmethod
    def forward(ctx, drive):
        """Return potentials, shape (n_steps, n_trials, n_units)."""
        v, i_syn = torch.empty_like(drive), torch.zeros_like(drive[0])
        before = torch.zeros_like(i_syn)
        for k in range(len(drive)):
            i_syn.mul_(tasks.DECAY_SYN).add_(drive[k])
            torch.mul(before, tasks.DECAY_M, out=v[k])
            before = v[k].add_(i_syn)
        return v

    @staticmethod
    def backward(ctx, grad):
        """Return the gradient by weighted input."""
        grad_drive, grad_v, grad_i = (torch.zeros_like(grad) for _ in range(3))
        grad_v, grad_i = grad_v[0], grad_i[0]
        for k in range(len(grad) - 1, -1, -1):
            grad_v.mul_(tasks.DECAY_M).add_(grad[k])
            grad_i.mul_(tasks.DECAY_SYN).add_(grad_v)
            grad_drive[k] = grad_i
        return grad_drive


class Reference(nn.Module):
    """The model written out by hand."""

    def __init__(self, data: dict[str, Any], recurrent: bool, compiled: bool):
        super().__init__()
        self.w, self.w_out = parameter(data["w"]), parameter(data["w_out"])
        self.w_rec = parameter(data["w_rec"]) if recurrent else None

    def forward(self, x):
        """Return the potentials of the outputs."""
        drive = x @ self.w.t()
        spikes = Spiking.apply(drive, self.w_rec, tasks.DECAY_SYN, tasks.DECAY_M)
        return Leaky.apply(spikes @ self.w_out.t())


class SnnTorch(nn.Module):
    """The model as the tutorials of snnTorch have it, each layer once a step."""

    def __init__(self, data: dict[str, Any], recurrent: bool, compiled: bool):
        import snntorch
        from snntorch import surrogate

        super().__init__()
        self.w, self.w_out = linear(data["w"]), linear(data["w_out"])
        self.w_rec = linear(data["w_rec"]) if recurrent else None
        kind = {"alpha": tasks.DECAY_SYN, "beta": tasks.DECAY_M}
        hidden = snntorch.Synaptic(**kind, spike_grad=surrogate.fast_sigmoid(slope=tasks.SLOPE))
        output = snntorch.Synaptic(**kind, reset_mechanism="none")
        self.start = hidden.reset_mem
        self.hidden, self.output = hidden, output
        self.step = torch.compile(self._step) if compiled else self._step

    def _step(self, x, spikes, state):
        i_syn, v, i_out, v_out = state
        drive = self.w(x)
        if self.w_rec is not None:
            drive = drive + self.w_rec(spikes)
        spikes, i_syn, v = self.hidden(drive, i_syn, v)
        _, i_out, v_out = self.output(self.w_out(spikes), i_out, v_out)
        return spikes, (i_syn, v, i_out, v_out)

    def forward(self, x):
        """Return the potentials of the outputs."""
        sizes = (self.w.out_features,) * 2 + (self.w_out.out_features,) * 2
        state = tuple(torch.zeros(x.shape[1], n) for n in sizes)
        spikes, found = torch.zeros(x.shape[1], sizes[0]), []
        for one in x.unbind(0):
            spikes, state = self.step(one, spikes, state)
            found.append(state[-1])
        return torch.stack(found)


class Norse(nn.Module):
    """The model with cells of Norse, in units in which a step adds (1 - decay_m) times current."""

    def __init__(self, data: dict[str, Any], recurrent: bool, compiled: bool):
        import norse.torch as norse

        super().__init__()
        gain = 1.0 - tasks.DECAY_M
        rates = {
            "tau_syn_inv": torch.tensor(1.0 - tasks.DECAY_SYN),
            "tau_mem_inv": torch.tensor(gain),
        }
        hidden = norse.LIFParameters(
            **rates, v_th=torch.tensor(gain), alpha=torch.tensor(tasks.SLOPE / gain)
        )
        self.w, self.w_out = linear(data["w"]), linear(data["w_out"])
        self.w_rec = linear(data["w_rec"]) if recurrent else None
        self.hidden = norse.LIFCell(p=hidden, dt=1.0)
        self.output = norse.LICell(p=norse.LIParameters(**rates), dt=1.0)
        self.gain = gain
        self.step = torch.compile(self._step) if compiled else self._step

    def _step(self, drive, spikes, state, state_out):
        if self.w_rec is not None:
            drive = drive + self.w_rec(spikes)
        spikes, state = self.hidden(drive, state)
        v_out, state_out = self.output(self.w_out(spikes), state_out)
        return v_out, spikes, state, state_out

    def forward(self, x):
        """Return the potentials of the outputs."""
        state, state_out, found = None, None, []
        spikes = torch.zeros(x.shape[1], self.w.out_features)
        for drive in self.w(x).unbind(0):
            v_out, spikes, state, state_out = self.step(drive, spikes, state, state_out)
            found.append(v_out)
        return torch.stack(found) / self.gain


MODELS: dict[str, tuple[type[nn.Module], str]] = {
    "reference": (Reference, "torch"),
    "snntorch": (SnnTorch, "snntorch"),
    "norse": (Norse, "norse"),
}


def prepare(job: dict[str, Any], data: dict[str, Any]) -> tasks.Run:
    """Return what is to be repeated."""
    from importlib.metadata import version

    torch.set_num_threads(job["threads"])
    torch.manual_seed(0)
    name, _, compiled = job["library"].partition("-")
    kind, package = MODELS[name]
    if job["task"] == "square layer":
        return tasks.Run(_square(data), version(package))
    model = kind(data, job["model"] == "recurrent", compiled == "compiled")
    make = _yin_yang if job["task"] == "Yin-Yang" else _classifier
    return tasks.Run(make(job, data, model), version(package))


def _update(model: nn.Module, learning_rate: float) -> Callable[[Any, Any], Any]:
    """Return what takes a step on a batch and returns its scores and loss."""
    optimiser = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], lr=learning_rate
    )

    def update(x: Any, labels: Any) -> Any:
        optimiser.zero_grad()
        scores = model(x).amax(0)
        loss = nn.functional.cross_entropy(scores, labels)
        loss.backward()
        optimiser.step()
        return scores, loss

    return update


def _classifier(job: dict[str, Any], data: dict[str, Any], model: nn.Module) -> Any:
    x, labels = torch.from_numpy(data["x"]), torch.from_numpy(data["labels"])
    if job["mode"] == "inference":

        def infer() -> float:
            with torch.no_grad():
                return float(nn.functional.cross_entropy(model(x).amax(0), labels))

        return infer
    update = _update(model, tasks.LEARNING_RATE)
    return lambda: float(update(x, labels)[1].detach())


def _square(data: dict[str, Any]) -> Any:
    x, w = torch.from_numpy(data["x"]), parameter(data["w"])

    def step() -> float:
        w.grad = None
        spikes = Spiking.apply(x @ w.t(), None, 0.0, tasks.SQUARE_DECAY)
        loss = spikes.sum()
        loss.backward()
        return float(loss.detach())

    return step


def _yin_yang(job: dict[str, Any], data: dict[str, Any], model: nn.Module) -> Any:
    features, labels = data["features"], torch.from_numpy(data["labels"])
    if job["model"] == "latency":
        x = torch.from_numpy(tasks.latency_spikes(features))
    else:
        x = torch.from_numpy(tasks.DirectCurrent(20).encode(features).astype(np.float32))
    update = _update(model, 4e-3)

    def epoch() -> float:
        right = 0
        for batch in torch.randperm(len(labels)).split(64):
            scores, _ = update(x[:, batch].contiguous(), labels[batch])
            right += int((scores.argmax(1) == labels[batch]).sum())
        return right / len(labels)

    return epoch


if __name__ == "__main__":
    tasks.main(prepare)
