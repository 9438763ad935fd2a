"""XOR and Iris with snnTorch or Norse: ``python small_torch.py snntorch xor``, or norse, iris."""

import json
import sys
from importlib.metadata import version

import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import MinMaxScaler
from torch import nn

N_STEPS, DECAY = 25, float(np.exp(-0.1))


class SnnTorch(nn.Module):
    """Spiking hidden units and leaky outputs; the scores are mean potentials."""

    def __init__(self, sizes):
        import snntorch
        from snntorch import surrogate

        super().__init__()
        self.w, self.w_out = nn.Linear(*sizes[:2]), nn.Linear(*sizes[1:])
        self.hidden = snntorch.Leaky(DECAY, spike_grad=surrogate.fast_sigmoid(slope=2.0))
        self.output = snntorch.Leaky(DECAY, reset_mechanism="none")

    def forward(self, x):
        """Return the scores for a constant input."""
        v, v_out, total = self.hidden.init_leaky(), self.output.init_leaky(), 0.0
        for _ in range(N_STEPS):
            spikes, v = self.hidden(self.w(x), v)
            _, v_out = self.output(self.w_out(spikes), v_out)
            total = total + v_out
        return total / N_STEPS


class Norse(nn.Module):
    """The same of Norse; a threshold of 0.3, without which too few units fire."""

    def __init__(self, sizes):
        import norse.torch as norse

        super().__init__()
        self.w, self.w_out = nn.Linear(*sizes[:2]), nn.Linear(*sizes[1:])
        hidden = norse.LIFParameters(v_th=torch.tensor(0.3), alpha=torch.tensor(25.0))
        self.hidden, self.output = norse.LIFCell(p=hidden), norse.LICell()

    def forward(self, x):
        """Return the scores for a constant input."""
        state, state_out, total = None, None, 0.0
        for _ in range(N_STEPS):
            spikes, state = self.hidden(self.w(x), state)
            v_out, state_out = self.output(self.w_out(spikes), state_out)
            total = total + v_out
        return total / N_STEPS


def train(model, x, labels, epochs, until_right):
    """Train on all samples at once; return the share of right answers in the last epoch."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        scores = model(x)
        right = float((scores.argmax(1) == labels).float().mean())
        if until_right and right == 1.0:
            break
        optimiser.zero_grad()
        nn.functional.cross_entropy(5.0 * scores, labels).backward()
        optimiser.step()
    return right


def xor(kind, n_seeds=20, epochs=500):
    """Return the share of the seeds with which all four patterns are right at some time."""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    labels = torch.tensor([0, 1, 1, 0])
    solved = 0
    for seed in range(n_seeds):
        torch.manual_seed(seed)
        solved += train(kind([2, 32, 2]), x, labels, epochs, True) == 1.0
    return solved / n_seeds


def iris(kind, epochs=200):
    """Return the accuracy on samples that were not trained on, over five folds."""
    features, labels = load_iris(return_X_y=True)
    n_right = 0
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(features, labels)
    for seed, (training, test) in enumerate(folds):
        torch.manual_seed(seed)
        scaler, model = MinMaxScaler().fit(features[training]), kind([4, 20, 3])
        x, x_test = (
            torch.tensor(scaler.transform(features[part]), dtype=torch.float32)
            for part in (training, test)
        )
        train(model, x, torch.tensor(labels[training]), epochs, False)
        with torch.no_grad():
            n_right += int((model(x_test).argmax(1).numpy() == labels[test]).sum())
    return n_right / len(labels)


if __name__ == "__main__":
    library, name, *numbers = sys.argv[1:]
    made = {"snntorch": SnnTorch, "norse": Norse}[library]
    found = {"xor": xor, "iris": iris}[name](made, *map(int, numbers))
    print(json.dumps({"value": found, "version": version(library)}))
