#!/usr/bin/env python3
"""Makes the word-problem task: plain-English arithmetic in two or three steps, answered step by step.

    python3 generate.py --out DIR [--seed 1]

Writes one JSON object per line:
    train.jsonl     prompt, completion, answer   for the teacher, and briefly for the starting student
    prompts.jsonl   prompt                       problems without answers, for distillation
    finetune.jsonl  prompt, completion           the first few hundred of prompts.jsonl, with reference answers
    valid.jsonl     prompt, completion, answer   for watching a run
    test.jsonl      prompt, completion, answer   for the reported accuracy

A problem is a template, its numbers, and names. Which of train, valid and test it may belong to is a hash of
(template, numbers) alone, so no calculation of the test set is ever seen in training, under any name.

A template's answer holds its calculations as [x=a+b]: printed "12+7=19", with x bound to 19 for later steps.
"""

import argparse
import hashlib
import itertools
import json
import operator
import random
import re
from collections import namedtuple
from pathlib import Path

Template = namedtuple("Template", "id ranges prompt answer")

GIRLS = "Anna Mia Lily Rosa Emma Nina Sara Kate".split()
BOYS = "Tom Ben Sam Max Leo Paul Jack Dan".split()
THINGS = "apples pears plums cards coins shells stones pens books stamps".split()
GROUPS = "boxes bags packs jars baskets".split()
PLACES = "market park school farm".split()

TEMPLATES = [
    Template(*(part.strip() for part in text.strip().split("\n")))
    for text in """
buy_give
a=5-30 b=2-20 c=2-12
{N} has {a} {o}. {P} buys {b} more and gives {c} to {M}. How many {o} does {N} have now?
{N} has [x=a+b] {o} after buying more. After giving, {N} has [y=x-c] {o}.

lose_find
a=10-40 b=2-9 c=2-20
{N} has {a} {o}. {P} loses {b} of them at the {p} and then finds {c} more. How many {o} does {N} have?
{N} has [x=a-b] {o} after losing some. After finding more, {N} has [y=x+c] {o}.

two_gifts
a=3-20 b=2-15 c=2-15
{N} has {a} {o}. {M} gives {N} {b} more, and a friend gives {N} {c} more. How many {o} does {N} have in all?
With {M}'s gift {N} has [x=a+b] {o}. With the friend's gift {N} has [y=x+c] {o}.

two_losses
a=20-60 b=2-12 c=2-9
{N} has {a} {o}. {P} sells {b} on Monday and {c} on Tuesday. How many {o} are left?
After Monday [x=a-b] {o} are left. After Tuesday [y=x-c] {o} are left.

groups_plus
a=2-9 b=2-9 c=2-15
{N} has {a} {g} with {b} {o} in each, and {c} more {o}. How many {o} does {N} have in all?
The {g} hold [x=a*b] {o}. In all {N} has [y=x+c] {o}.

groups_minus
a=2-9 b=3-9 c=2-6
{N} buys {a} {g} of {o}. There are {b} {o} in each. {P} gives {c} {o} to {M}. How many {o} are left?
The {g} hold [x=a*b] {o}. After giving, [y=x-c] {o} are left.

twice_total
a=3-30 b=2-20
{N} has {a} {o}. {M} has {b} more {o} than {N}. How many {o} do they have in all?
{M} has [x=a+b] {o}. In all they have [y=a+x] {o}.

fewer_total
a=8-40 b=2-9
{N} has {a} {o}. {M} has {b} fewer {o} than {N}. How many {o} do they have in all?
{M} has [x=a-b] {o}. In all they have [y=a+x] {o}.

double_plus
a=3-30 b=2-20
{N} has {a} {o}. {M} has twice as many. Then {M} finds {b} more. How many {o} does {M} have?
{M} has [x=a*2] {o} at first. After finding more, {M} has [y=x+b] {o}.

double_minus
a=5-30 b=2-12
{N} has {a} {o}. {M} has twice as many. Then {M} loses {b} of them. How many {o} does {M} have?
{M} has [x=a*2] {o} at first. After losing some, {M} has [y=x-b] {o}.

half_plus
a=6-40 b=2-20
{N} has {a} {o}. {P} gives half of them to {M} and then buys {b} more. How many {o} does {N} have?
After giving half, {N} has [x=a/2] {o}. After buying more, {N} has [y=x+b] {o}.

half_minus
a=16-60 b=2-7
{N} has {a} {o}. {P} sells half of them and then loses {b}. How many {o} are left?
After selling half, [x=a/2] {o} are left. After losing some, [y=x-b] {o} are left.

share
a=4-40 b=2-20 c=2-6
{N} has {a} {o} and {M} has {b} {o}. They put them into {c} {g}, the same number in each. How many {o} are in each?
In all they have [x=a+b] {o}. Each holds [y=x/c] {o}.

price_change
a=2-8 b=2-9 c=40-80
One pen costs {a} dollars. {N} buys {b} pens and pays with {c} dollars. How many dollars does {P} get back?
The pens cost [x=a*b] dollars. {N} gets back [y=c-x] dollars.

price_two
a=2-9 b=2-8 c=2-20
{N} buys {a} books for {b} dollars each and a bag for {c} dollars. How many dollars does {N} pay?
The books cost [x=a*b] dollars. In all {N} pays [y=x+c] dollars.

bus
a=10-40 b=2-10 c=2-15
There are {a} people on a bus. At the {p} {b} get off and {c} get on. How many people are on the bus now?
After {b} get off, [x=a-b] people are left. After {c} get on, [y=x+c] are on the bus.

class
a=5-25 b=5-25 c=2-9
There are {a} girls and {b} boys at the {p}. Then {c} of them go home. How many are left?
At first there are [x=a+b] of them. After {c} go home, [y=x-c] are left.

earn_days
a=3-9 b=2-7 c=2-20
{N} earns {a} dollars a day for {b} days. Then {P} pays {c} dollars for {o}. How many dollars are left?
{N} earns [x=a*b] dollars. After paying, [y=x-c] dollars are left.

pages
a=40-90 b=5-9 c=2-6
A book has {a} pages. {N} reads {b} pages a day for {c} days. How many pages are left?
{N} reads [x=b*c] pages. Then [y=a-x] pages are left.

rows
a=2-8 b=3-9 c=3-20
At the {p} there are {a} rows of {b} trees and {c} more trees. How many trees are there in all?
The rows hold [x=a*b] trees. In all there are [y=x+c] trees.

buy_give_find
a=5-25 b=2-15 c=2-9 d=2-12
{N} has {a} {o}. {P} buys {b} more, gives {c} to {M} and finds {d} at the {p}. How many {o} does {N} have now?
After buying more, {N} has [x=a+b] {o}. After giving, [y=x-c] are left. After finding more, [z=y+d].

three_days
a=2-15 b=2-12 c=2-12 d=2-9
{N} finds {a} {o} on Monday, {b} on Tuesday and {c} on Friday. {P} loses {d} of them. How many {o} are left?
After Tuesday {N} has [x=a+b] {o}. After Friday [y=x+c]. After losing some, [z=y-d] are left.

two_groups
a=2-7 b=2-7 c=2-7 d=2-7
{N} has {a} {g} with {b} {o} in each. {M} has {c} {g} with {d} {o} in each. How many {o} do they have in all?
{N} has [x=a*b] {o}. {M} has [y=c*d] {o}. In all they have [z=x+y] {o}.

groups_give_buy
a=2-8 b=3-8 c=2-5 d=2-15
{N} has {a} {g} of {b} {o}. {P} gives {c} {o} to {M} and buys {d} more. How many {o} does {N} have?
The {g} hold [x=a*b] {o}. After giving, [y=x-c] are left. After buying more, {N} has [z=y+d].

twice_three
a=3-15 b=2-9
{N} has {a} {o}. {M} has twice as many, and a friend has {b} more than {M}. How many {o} does {M} have with the friend?
{M} has [x=a*2] {o}. The friend has [y=x+b] {o}. In all they have [z=x+y] {o}.

half_give_buy
a=12-50 b=2-5 c=2-15
{N} sells half of {a} {o}, gives {b} to {M} and buys {c} more. How many {o} does {N} have now?
After selling half, [x=a/2] {o} are left. After giving, [y=x-b]. After buying more, {N} has [z=y+c].

fruit_price
a=2-7 b=2-7 c=2-20 d=60-90
{N} buys {a} books for {b} dollars each and a bag for {c} dollars. {P} pays with {d} dollars. How many dollars does {P} get back?
The books cost [x=a*b] dollars. With the bag {N} pays [y=x+c] dollars. {P} gets back [z=d-y].

bus_twice
a=10-30 b=2-9 c=2-12 d=2-10
There are {a} people on a bus. At the {p} {b} get off and {c} get on. Then {d} more get on. How many people are on the bus?
After {b} get off, [x=a-b] people are left. After {c} get on, [y=x+c]. After {d} more get on, [z=y+d].

share_eat
a=2-7 b=2-8 c=2-6 d=1-3
{N} has {a} {g} of {b} {o} and shares them with friends, {c} people in all. {P} sells {d}. How many {o} has {N} left?
The {g} hold [x=a*b] {o}. Each of them gets [y=x/c]. After selling, {N} has [z=y-d].

weeks
a=2-9 b=2-7 c=2-9 d=2-9
{N} earns {a} dollars a day for {b} days and {c} dollars on Friday. {P} pays {d} dollars. How many dollars are left?
In {b} days {N} earns [x=a*b] dollars. With Friday [y=x+c]. After paying, [z=y-d] are left.
""".strip().split("\n\n")
]

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}
CALCULATION = re.compile(r"\[(\w)=(\w)([-+*/])(\w)\]")
LARGEST = 99
SETS = ("train", "prompts", "valid", "test")


def work_out(template, numbers):
    """The answer's text with its calculations filled in, and the result; None where a step is not exact and small."""
    values = dict(numbers)

    def step(match):
        name, left, sign, right = match.groups()
        left, right = (values[v] if v in values else int(v) for v in (left, right))
        if sign == "/" and left % right:
            raise ValueError
        values[name] = OPERATIONS[sign](left, right)
        if not 0 <= values[name] <= LARGEST:
            raise ValueError
        values["result"] = values[name]
        return f"{left}{sign}{right}={values[name]}"

    try:
        return CALCULATION.sub(step, template.answer), values["result"]
    except ValueError:
        return None


def combinations(template):
    """All numbers the template allows, in a fixed order."""
    names, ranges = zip(*(part.split("=") for part in template.ranges.split()))
    bounds = [range(int(low), int(high) + 1) for low, high in (r.split("-") for r in ranges)]
    for values in itertools.product(*bounds):
        numbers = dict(zip(names, values))
        if work_out(template, numbers):
            yield numbers


def split_of(template, numbers):
    """Which split owns this calculation: a pure function of (template, numbers), never of names or the seed."""
    key = f"{template.id}:{','.join(map(str, numbers.values()))}"
    bucket = hashlib.sha256(key.encode()).digest()[0] % 10
    return {0: "test", 1: "valid"}.get(bucket, "train")


def pools():
    """split -> template -> list of numbers."""
    result = {split: {t: [] for t in TEMPLATES} for split in ("train", "valid", "test")}
    for template in TEMPLATES:
        for numbers in combinations(template):
            result[split_of(template, numbers)][template].append(numbers)
    return result


def capitals(text):
    """A pronoun that opens a sentence gets its capital."""
    return re.sub(r"([.?] )(s?he)\b", lambda m: m[1] + m[2].capitalize(), text)


def problem(template, numbers, rng):
    hero, friend = rng.sample(GIRLS + BOYS, 2)
    pronoun = "she" if hero in GIRLS else "he"
    words = {"N": hero, "M": friend, "P": pronoun, "o": rng.choice(THINGS), "g": rng.choice(GROUPS)}
    words["p"] = rng.choice(PLACES)
    answer, result = work_out(template, numbers)
    prompt = template.prompt.format(**words, **numbers)
    completion = capitals(answer.format(**words, **numbers))
    return {
        "prompt": capitals(prompt) + "\n",
        "completion": f"{completion}\n#### {result}",
        "answer": str(result),
    }


def draw(pool, count, rng):
    """`count` different problems: templates in equal parts, numbers without repetition until they run out."""
    templates = list(pool)
    queues = {t: [] for t in templates}
    seen, result = set(), []
    while len(result) < count:
        template = templates[len(result) % len(templates)]
        if not queues[template]:
            queues[template] = rng.sample(pool[template], len(pool[template]))
        item = problem(template, queues[template].pop(), rng)
        if item["prompt"] not in seen:
            seen.add(item["prompt"])
            result.append(item)
    rng.shuffle(result)
    return result


def write(path, items, fields):
    lines = (json.dumps({f: item[f] for f in fields}) + "\n" for item in items)
    path.write_text("".join(lines), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", type=int, default=60000)
    parser.add_argument("--prompts", type=int, default=6000)
    parser.add_argument("--finetune", type=int, default=300)
    parser.add_argument("--valid", type=int, default=300)
    parser.add_argument("--test", type=int, default=600)
    args = parser.parse_args()

    args.out.mkdir(parents=True, exist_ok=True)
    pool = pools()
    rng = {name: random.Random(f"{name} {args.seed}") for name in SETS}
    prompts = draw(pool["train"], args.prompts, rng["prompts"])
    pair = ("prompt", "completion")
    write(args.out / "train.jsonl", draw(pool["train"], args.train, rng["train"]),
          pair + ("answer",))
    write(args.out / "prompts.jsonl", prompts, ("prompt",))
    write(args.out / "finetune.jsonl", prompts[: args.finetune], pair)
    for name, count in (("valid", args.valid), ("test", args.test)):
        write(args.out / f"{name}.jsonl", draw(pool[name], count, rng[name]), pair + ("answer",))


if __name__ == "__main__":
    main()
