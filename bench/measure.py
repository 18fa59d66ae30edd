"""What the comparisons share: medians, intervals, and the records that bench/run.py collects.

A record is one comparison: seconds of both sides for the same work, measured in turn in one run. Of
a peer that did not do it there is the reason, `failed`, beside our own seconds.
"""

import json
import os
import pathlib
import random
import statistics

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKENIZER = ROOT / "recipes/word_problems/tokenizer"


def interval(ours, theirs):
    """95 % bootstrap interval of the ratio of medians."""
    draw = random.Random(0)
    ratios = sorted(
        statistics.median(draw.choices(theirs, k=len(theirs)))
        / statistics.median(draw.choices(ours, k=len(ours)))
        for _ in range(2000)
    )
    return ratios[50], ratios[1949]


def in_turn(sides, rounds, measure):
    """Seconds of every side: measure(side, round) for all of them in each round, the order drawn."""
    seconds = {name: [] for name in sides}
    draw = random.Random(1)
    for number in range(rounds):
        for name in draw.sample(sorted(sides), len(sides)):
            seconds[name].append(measure(sides[name], number))
    return seconds


class PeerFailed(Exception):
    """The other side did not do its work; ours is to be reported all the same."""


class Records:
    """The comparisons of a script, printed as they are made and in `file` at once."""

    def __init__(self, file=None):
        self.file, self.all = file, []

    def add(self, name, peer, ours, theirs, equal, work=1, unit="s", bound_seconds=None, **more):
        """`work` in so many `unit`s; "s": seconds themselves. `equal`: what was checked to be the
        same on both sides. `bound_seconds`: the least that the machine allows."""
        mine, other = statistics.median(ours), statistics.median(theirs)
        low, high = interval(ours, theirs)
        self.all.append(
            dict(name=name, peer=peer, unit=unit, work=work, ours_seconds=ours, peer_seconds=theirs,
                 ours=mine if unit == "s" else work / mine,
                 peers=other if unit == "s" else work / other,
                 ratio=other / mine, ratio_low=low, ratio_high=high, equal=equal,
                 load=os.getloadavg()[0], **more)
        )
        last = self.all[-1]
        words = (f"{name}: {last['ours']:.3g} {unit}, {peer} {last['peers']:.3g} {unit}, "
                 f"{last['ratio']:.2f} times as fast [{low:.2f}, {high:.2f}]")
        if bound_seconds:
            last.update(share=bound_seconds / mine, peer_share=bound_seconds / other)
            words += f", {last['share']:.0%} of what the machine can do"
        print(words, flush=True)
        self.write()

    def add_failed(self, name, peer, ours, reason, work=1, unit="s", **more):
        """Ours alone; `reason` is in the peer's words."""
        mine = statistics.median(ours)
        self.all.append(dict(name=name, peer=peer, unit=unit, work=work, ours_seconds=ours,
                             ours=mine if unit == "s" else work / mine, failed=str(reason), **more))
        print(f"{name}: {self.all[-1]['ours']:.3g} {unit}, {peer} failed: {reason}", flush=True)
        self.write()

    def write(self):
        if self.file:
            pathlib.Path(self.file).write_text(json.dumps(self.all, indent=1) + "\n")

    def code(self):
        """A script's exit code: 4 where a peer failed."""
        return 4 if any("failed" in record for record in self.all) else 0
