#!/usr/bin/env python3
"""Golden renderings of rows with integers beyond 64 bits: tests/golden/templates/long_integers.json.

usage: tools/goldens/template_long_integers.py   (with the Python of tools/make-oracle)

{"context": JSON as a row has it, "exact": [{"source", "text"}], "refused": [sources]}. What is
refused computes a number of more than 64 bits; Alambic says so.
"""
import json
import pathlib

from transformers.utils.chat_template_utils import _compile_jinja_template

CONTEXT = """{"a": 9223372036854775807, "b": 9223372036854775808, "c": 18446744073709551615,
"d": 18446744073709551616, "e": 123456789012345678901234567890, "n": -9223372036854775808,
"m": -9223372036854775809, "f": 1e19, "g": 10000000000000000000, "h": 1e400, "z": 0,
"call": {"name": "pay", "arguments": {"id": 12345678901234567890123, "ids": [18446744073709551616, 1]}},
"text": "18446744073709551616 \\\\u0041 \\"123456789012345678901\\""}"""

EXACT = """
a ~ ' ' ~ b ~ ' ' ~ c ~ ' ' ~ d ~ ' ' ~ e ~ ' ' ~ n ~ ' ' ~ m
[b, c, {'k': d}, (e,)]
call | tojson
call.arguments | tojson(indent=2)
{b: 1, 'x': {m: 2}} | tojson
call
call.arguments.ids | join(', ')
e | string | length
'%s|%d|%30d|%-25d|%i|%r' % (b, c, d, m, e, b)
'{} {0} {x}'.format(b, x=e) if false else '{} {}'.format(b, e)
b is number, b is integer, b is float, b is string, b is mapping, b is iterable, b is sequence, b is boolean, b is none
m is number, m is integer, h is float, h is number
b == c, b == b, b != c, d == 18446744073709551616.0, b == 9223372036854775808.0, g == f, f == g, e == f
b < c, c < d, d < e, m < n, n < m, a < b, b < a, m < 0, e > 0, m > -1e30, b > f, g < f, g <= f, e < 1e300, m >= -9.3e18
b < h, b > h, b == h, e > 2.5, true < b, b <= b, b >= c
b in [c, b], b in [c], b in {b: 1}, {b: 'v'}[b], {g: 'v'}[f], {f: 'v'}[g], {b: 1}[c] is defined
[e, b, m, 3, d, 2.5, n, c] | sort
[e, b, m, d] | min, [e, b, m, d] | max
[b, c, b, d, d] | unique | list
[b, 1, b].index(b), [b, 1, b].count(b)
b | int, m | int, b | float, e | float, b | string, b | abs, m | abs, -m, -b, +b, -(-e)
b | round, e | round(2), b | default('x'), b or 'x', not b, 'yes' if b else 'no'
b / 2.0, f - b, b * 1.0, e // 1e20, b % 10.0, 2.0 * m
'abc'[:b], 'abc'[m:], [1, 2, 3][0:e], 'abc'[b] is defined, [1][d] is defined
text, h, [h], -h
[{'id': b}, {'id': c}, {'id': b}] | selectattr('id', 'equalto', b) | list
[{'id': c}, {'id': b}] | sort(attribute='id') | map(attribute='id') | list
[{'id': b, 'v': 1}, {'id': b, 'v': 2}] | groupby('id') | list
"""
REFUSED = """
b + 1
b - b
b * 2
b // 2
b % 2
b / 2
b ** 2
b is even
b is divisibleby 3
[b, 1] | sum
b | round(-1)
'%x' % b
'{:d}'.format(b)
'{:,}'.format(b)
'a' * b
range(b)
'a'.center(b)
"""


def main():
    context = json.loads(CONTEXT)
    rows = []
    for line in EXACT.strip().split("\n"):
        source = "{{ (" + line + ") }}" if "," in line else "{{ " + line + " }}"
        rows.append({"source": source, "text": _compile_jinja_template(source).render(**context)})
    refused = ["{{ " + line + " }}" for line in REFUSED.strip().split("\n")]
    path = pathlib.Path(__file__).parents[2] / "tests/golden/templates/long_integers.json"
    path.write_text(json.dumps({"context": CONTEXT, "exact": rows, "refused": refused}, indent=0) + "\n")
    print(f"{len(rows)} expressions, {len(refused)} refused")


if __name__ == "__main__":
    main()
