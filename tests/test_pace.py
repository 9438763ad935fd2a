import pytest

from spikesim.engine.pace import Pace


def run(pace, speeds, chunks):
    """Let chunks take what `speeds` (steps a second by threads) say; return (threads, steps)."""
    seen = []
    for _ in range(chunks):
        seen.append((pace.threads, pace.steps))
        pace.report(pace.steps, pace.steps / speeds[pace.threads])
    return seen


def test_chunks_come_to_last_three_hundredths_of_a_second():
    seen = run(Pace(1, 1e3, False), {1: 1e6}, 20)
    assert seen[-1] == (1, 30_000)
    seen = run(Pace(1, 1e6, False), {1: 50.0}, 5)
    assert seen[-1] == (1, 1)


def test_a_number_of_threads_that_was_asked_for_is_kept():
    seen = run(Pace(4, 1e4, False), {4: 1e3, 1: 1e6}, 200)
    assert {threads for threads, _ in seen} == {4}


@pytest.mark.parametrize(("speeds", "best"), [({2: 1e5, 1: 6e4}, 2), ({2: 1e4, 1: 6e4}, 1)])
def test_the_quicker_number_of_threads_is_found_and_the_other_tried_now_and_then(speeds, best):
    seen = run(Pace(2, 1e5, True), speeds, 400)
    used = [threads for threads, _ in seen[5:]]
    assert used.count(best) > 0.97 * len(used)
    assert 4 <= used.count(3 - best) <= 10
    trials = [steps / speeds[threads] for threads, steps in seen[60:] if threads != best]
    assert max(trials) < 0.01


def test_it_turns_back_when_the_machine_is_free_again():
    pace = Pace(2, 1e5, True)
    run(pace, {2: 1e4, 1: 6e4}, 100)
    assert pace.threads == 1
    run(pace, {2: 1e5, 1: 6e4}, 100)
    assert pace.threads == 2
