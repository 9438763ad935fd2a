"""The words of the report, apart from the code that lays them out."""

from __future__ import annotations

HEADINGS = {
    "page": "Learning rules compared",
    "title": "Learning rules compared, with and without spikes",
    "asked": "What was asked",
    "rules": "The rules",
    "rate_code": "The same weights as rates and as spikes",
    "hypotheses": "What became of the hypotheses",
    "method": "How it was done",
    "limits": "What this does not show",
    "repeat": "Do it again",
}

INTRODUCTION = (
    "A unit of a neural network may send a number, its firing <i>rate</i>, or it may send "
    "<i>spikes</i>. The spiking unit here is the leaky integrate-and-fire neuron (LIF): its "
    "membrane potential leaks towards rest, is pushed by arriving spikes, and when it crosses a "
    "threshold the neuron fires and starts over.",
    "A learning rule changes the weights. Some rules are <i>local</i>: each synapse needs only "
    "what is at hand, its input and the error of its own neuron. Others follow a <i>gradient</i>: "
    "each synapse is told how the whole error depends on it. This page puts both kinds on "
    "both kinds of unit, from equal starts and with equal effort spent on tuning.",
)

HYPOTHESES = (
    "Written down before the runs, in docs/hypotheses.md, with what would count against them. One "
    "stays open until all that it needs was tuned and run."
)

CAPTIONS = {
    "rules": "Every rule in the comparison. <i>Local</i> rules need what is present at the "
    "synapse; the others need errors carried backwards through the weights.",
    "xor": "Solved starts with Wilson 95 % intervals. Epochs to solve is the Kaplan-Meier median "
    "with its interval: runs that never solve are counted as longer than the budget, not dropped.",
    "iris2": "As for XOR: solved starts with Wilson intervals, and the median epoch.",
    "iris": "Mean test accuracy with Nadeau-Bengio corrected 95 % intervals. Behind LDA is LDA's "
    "accuracy less the contender's on the same folds, in points; an interval that holds 0 shows no "
    "difference. A committee has its hidden units for each class.",
    "accuracy": "Accuracy on samples that were neither trained on nor used to choose settings.",
    "answer": "What an answer takes: spikes of all units; synaptic operations, a MAC for each "
    "nonzero input that is a number and an addition for each spike; updates of states; and an "
    "energy proxy of 4.6 pJ a MAC or update and 0.9 pJ an addition, without memory traffic.",
    "training": "What training takes: seconds on one thread; the area under the learning curve, "
    "which is the mean share of training samples right (%) over all passes; and what it took until "
    "{level} of the training samples were right, medians over runs. Synaptic operations are those "
    "of both ways, where the way back is counted: for Backprop.",
    "loss": "Mean accuracy (%) over the range of each perturbation, without training in between, "
    "over three draws for each of the first ten runs: noise on weights, dead units, few bits, "
    "jitter and loss of input, time constants and thresholds that are off, another time step.",
    "spikes_note": "Spikes: mean number that all units fire for one sample at the end of training, "
    "inputs not counted.",
    "settings": "The values that random search chose. Every contender had the same number of "
    "trials over a space of three dimensions.",
    "xor_success": "Left, rules that train a single layer; right, networks with hidden units. Bars "
    "are Wilson 95 % intervals.",
    "xor_time": "How long it takes: share of starts solved by each epoch, with 95 % bands. A curve "
    "that ends below 100 % has starts that never solve it.",
    "xor_learning": "Share of the four patterns right during training, mean over starts and "
    "neighbouring epochs. A threshold on a weighted sum cannot pass three of four.",
    "xor_regions": "What trained networks answer between the four patterns. Inputs 0 and 1 are the "
    "corners; colours are the answers.",
    "xor_network": "A trained spiking network at work on the four patterns, one column each. Top: "
    "input spikes; middle: spikes of the hidden neurons; bottom: membrane potential of the "
    "outputs, with their spikes drawn up. The answer is the class whose output fires more often.",
    "iris2_regions": "What one unit has learnt between the two species. The sigmoid unit can only "
    "draw a line; the LIF neuron sees receptive fields, and is arbitrary far from the data.",
    "iris_accuracy": "Each contender that gets at least 75 % right, with its 95 % interval. Those "
    "in the grey band cannot be told from LDA with this many flowers.",
    "iris_learning": "Share of training flowers right, mean over folds.",
    "rate_code": "A sigmoid network is trained on Iris, then its weights are run on spiking "
    "neurons whose inputs fire at the rates of the features, and whose output spikes are counted. "
    "The longer they count, the more often both decide alike (left) and the closer their outputs "
    "are (right; 0 to 1 is the whole range), down to what is left because a counting neuron "
    "follows a straight line with corners and not a sigmoid curve. Bands: 95 %.",
}

METHOD = (
    "<b>Equal starts.</b> Start number s gives every contender the same random numbers: initial "
    "weights are the same standard normal draws, scaled; samples come in the same order.",
    "<b>Equal tuning.</b> Each contender had the same number of random-search trials over three "
    "settings (learning rate, scale of the initial weights, and one that belongs to the rule), "
    "on starts and folds that are not those of the test. Beyond XOR and Iris the trials are judged "
    "on validation samples, or on a third of the table that is set apart and never tested. The "
    "settings are listed below; <code>spikesim compare --tune</code> finds them anew.",
    "<b>Same folds.</b> The splits of Iris are stored with a digest. One flower is in the data "
    "twice; its copies are always in one fold.",
    "<b>Honest intervals.</b> Training sets of cross-validation overlap, so the usual interval is "
    "three times too narrow; the corrected one is used.",
    "<b>No early stop.</b> Every run has its whole budget of epochs, so a solution that is lost "
    "again does not count.",
)

LIMITS = (
    "Iris cannot rank good methods: a linear rule from 1936 makes three errors in 150. Read it as "
    "a check that a rule works on real data.",
    "Tuning on Iris used other splits of the same 150 flowers, so accuracies are a little "
    "optimistic, for every contender alike. Classical methods run with usual settings, untuned.",
    "XOR is a fit, not a test of generalisation.",
    "Seconds depend on the machine and are given for orientation only.",
    "Rate networks see the features themselves, spiking networks an encoding of them in time; "
    "part of what an encoder does would be a hidden layer elsewhere.",
    "On XOR, spiking networks see each input as a train of spikes or as silence, unless a latency "
    "code is named. A train is felt several times as strongly as the bias of the neuron, which "
    "slows the rules that learn both at one rate.",
)

# Seen by looking into starts that no number of epochs solved.
WHY_STUCK = {
    "backpropagation": "Where it stays stuck, two patterns with different answers have come to the "
    "same saturated hidden activity, and no gradient is left to part them.",
    "committee": "Where it stays stuck, the votes go round in circles, each correction undoing an "
    "earlier one.",
}
