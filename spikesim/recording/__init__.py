"""What a simulation leaves behind: spikes as flat arrays, traces, and what they say.

:class:`PopulationRecording` has the measures: rates, intervals, irregularity, counts, correlation,
synchrony, spectra. ``PopulationRecording.from_spikes`` brings them to spikes from elsewhere.
"""

from spikesim.recording.population import PopulationRecording
from spikesim.recording.recording import Recording, UnknownPopulationError
from spikesim.recording.stored import load_recording
from spikesim.recording.trains import SpikeTrains

__all__ = [
    "PopulationRecording",
    "Recording",
    "SpikeTrains",
    "UnknownPopulationError",
    "load_recording",
]
