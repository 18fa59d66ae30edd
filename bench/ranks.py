"""A distillation's step on two ranks beside one process, each rank on one core, in turn.

Two random Llamas of 6 layers (WIDTH, vocabulary of the word problems), 16 prompts of 32 tokens, 64 new
tokens each, exact reverse KL, float32. The work of a step is the same: the same rows, completions that
must be the same to the byte. Half the seconds of one process is more than two ranks can reach, because
cores share the memory and a busy machine slows both: the bound is two processes side by side with half
the rows each that tell each other nothing, the slower one of them.

  PYTHON bench/ranks.py [--rounds 5] [--steps 4] [--width 256] [--json FILE]
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from growth import Runs
from measure import ROOT, Records, in_turn

ROWS, PROMPT_TOKENS, NEW_TOKENS = 16, 32, 64
PHASES = ("generate", "grade", "learn", "update")
KINDS = {"data parallel": [], "ZeRO stage 3, sharded teacher": [
    "--zero-stage", "3", "--teacher-weights", "sharded"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="of a round; the first is warm-up")
    parser.add_argument("--width", type=int, default=256, help="of both models, a multiple of 64")
    parser.add_argument("--json", help="file for the records")
    return parser.parse_args()


class Sides:
    """The command of each side, and what its run has told."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.runs = Runs(options, folder)
        shape = {"width": options.width, "layers": 6,
                 "vocabulary": len(self.runs.tokenizer["model"]["vocab"])}
        self.student = self.runs.model("student", 1, shape)
        self.teacher = self.runs.model("teacher", 2, shape)
        self.data = self.runs.rows(ROWS, PROMPT_TOKENS)

    def start(self, name, rows, more=(), launch=()):
        command = [self.options.build / "alambic", *launch, "distill", "--student", self.student,
                   "--teacher", self.teacher, "--data", self.data, "--batch-size", rows,
                   "--max-completion-length", NEW_TOKENS, "--max-steps", self.options.steps,
                   "--learning-rate", 1e-6, "--threads", 1, "--device", "cpu", "--out",
                   self.folder / name, "--overwrite", *more]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def seconds(self, name, process):
        """Of a step after the first, the median."""
        _, told = process.communicate()
        if process.returncode:
            sys.exit(f"error: {name} ended with {process.returncode}: {told}")
        rows = map(json.loads, (self.folder / name / "metrics.jsonl").read_text().splitlines())
        steps = [sum(row[f"{phase}_seconds"] for phase in PHASES) for row in rows]
        return statistics.median(steps[1:])

    def one(self):
        return self.seconds("one", self.start("one", ROWS))

    def apart(self):
        names = ("first", "second")
        started = [self.start(name, ROWS // 2) for name in names]
        return max(self.seconds(name, process) for name, process in zip(names, started))

    def ranks(self, more):
        launch = ("launch", "--nproc-per-node", 2)
        taken = self.seconds("ranks", self.start("ranks", ROWS, more, launch))
        samples = [(self.folder / name / "samples.jsonl").read_bytes() for name in ("one", "ranks")]
        assert samples[0] == samples[1], "two ranks wrote other completions than one process"
        return taken


def main():
    options = arguments()
    records = Records(options.json)
    with tempfile.TemporaryDirectory() as name:
        sides = Sides(options, pathlib.Path(name))
        sides.one()  # whose samples the others are compared with, and a warm file cache
        measures = {"one": sides.one, "apart": sides.apart}
        measures |= {kind: lambda more=more: sides.ranks(more) for kind, more in KINDS.items()}
        seconds = in_turn(measures, options.rounds, lambda side, _: side())
    bound = statistics.median(seconds["apart"])
    one = statistics.median(seconds["one"])
    for kind in KINDS:
        efficiency = one / 2 / statistics.median(seconds[kind])
        records.add(f"a step on 2 ranks, {kind}", "one process on one core", seconds[kind],
                    seconds["one"], "completions to the byte", bound_seconds=bound,
                    efficiency=efficiency, efficiency_bound=one / 2 / bound)
        print(f"  efficiency {efficiency:.0%} of two cores, bound {one / 2 / bound:.0%}", flush=True)
    records.write()


main()
