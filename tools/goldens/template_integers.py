#!/usr/bin/env python3
"""Golden answers of template expressions on integer extremes: tests/golden/templates/integers.json.

usage: tools/goldens/template_integers.py   (with any Python that has jinja2 and 64-bit sizes)

Each expression runs in the sandbox that transformers compiles chat templates in, with the variables
inf and nan: Jinja folds such constants into names that it then misses. What raises is recorded with
the exception's class and message. Those of LONGER need more than 64 bits somewhere, which Alambic
refuses in words; they are marked "longer".
"""
import itertools
import json
import math
import pathlib

from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX, MIN = 2**63 - 1, -2**63
EXTREMES = [MIN, MIN + 1, -2**62, -1, 0, 1, 2**62, MAX - 1, MAX]
SIGNED = [MIN, -1, 0, 1, MAX]


def crossed(form, *lists):
    return [form.format(*values) for values in itertools.product(*lists)]


EXACT = [
    # one item of a range so wide that its step overflows
    "range(4611686018427387904, 0, -1125899906842624)[::4611686018427387904] | length",
    "range(4611686018427387904, 0, -1125899906842624)[::4611686018427387904] | list",
    "range(4611686018427387904, 0, -1125899906842624)[::4611686018427387904]",
    f"range({MIN}, {MAX}, {MAX})", f"range({MIN}, {MAX}, {MAX}) | list", f"range({MIN}, {MAX}, {MAX})[::2]",
    f"range({MIN}, {MAX}, {MAX})[::2] | list", f"range({MIN}, {MAX}, {MAX})[::-1] | list",
    f"range({MAX}, {MIN}, {MIN}) | list", f"range({MAX}, {MIN}, {MIN})[::-1]", f"range({MAX}, {MIN}, {MIN})[1:]",
    f"range({MAX}, {MIN}, {MIN})[1]", f"range({MAX}, {MIN}, {MIN})[-1]", f"range({MIN}, {MAX}, {MAX})[2:5]",
    f"range({MAX - 3}, {MAX}) | list", f"range({MIN + 3}, {MIN}, -1) | list",
    f"range({MIN}) | list", f"range({MAX}, {MIN}) | list", f"range({MIN}, {MAX}, {MAX})[::2].start",
    f"range(5)[::{MAX}] == range(0, 1)", f"range(5)[{MAX}:] | list", f"range(5)[{MIN}:{MAX}:{MIN}] | list",
    *crossed("range(10)[{}:{}:{}] | list", SIGNED, SIGNED, [MIN, -1, 1, MAX]),
    *crossed("(1, 2, 3)[{}:{}:{}]", SIGNED, SIGNED, [MIN, MAX]),
    *crossed("'häuser'[{}:{}:{}]", [MIN, -1, MAX], [MIN, 1, MAX], [MIN, -1, 2, MAX]),
    *crossed("'abc'[{}] is defined", EXTREMES), *crossed("[1, 2][{}] is defined", EXTREMES),
    *crossed("range(9)[{}] is defined", EXTREMES),
    *crossed("{} in range(-9, 9)", EXTREMES), *crossed("{} in range({}, {}, {})", EXTREMES, [MIN], [MAX], [MAX]),
    "9007199254740993 in range(9007199254740990, 9007199254740999, 3)", "1e300 in range(9)", "inf in range(9)",
    "-1e19 in range(9)", "2.0 in range(9)", "2.5 in range(9)", "true in range(9)",
    # arithmetic that stays within 64 bits
    *crossed("{} // {}", [MIN, MIN + 1, MAX], [1, 2, -2, 7, MAX, MIN]), f"{MIN + 1} // -1",
    *crossed("{} % {}", EXTREMES, [1, -1, 3, -3, MAX, MIN]), *crossed("{} // 0", [MIN]), *crossed("{} % 0", [MIN]),
    *crossed("{} / {}", [MIN, -2**62, 1, MAX], [MIN, -3, 7, 2**62, MAX]), "9007199254740993 / 3", "9007199254740995 / 9007199254740993",
    "1 / 0", f"{MIN} + {MAX}", f"{MIN} - {MIN}", f"-{MAX}", f"{MIN} * 1", f"{-2**62} * 2", f"{MAX} - {MAX}", f"{MAX} * -1",
    "(-2) ** 63", "2 ** 62", f"(-1) ** {MAX}", f"0 ** {MAX}", f"1 ** {MAX}", "3 ** 39", "(-3) ** 39", "2 ** -1074", "0 ** -1", f"1 ** {MIN}",
    f"{MIN + 1} | abs", f"{MAX} | abs", f"{MIN}", "-0x8000000000000000", "0x7fffffffffffffff", f"[{MAX}, 1.5] | sum", f"[{MAX}, {MIN}, 5] | sum",
    f"[{MIN}, {MAX}] | min", f"[{MIN}, {MAX}, 1e300] | max",
    # comparisons of whole numbers with floats are exact
    "9007199254740993 == 9007199254740992.0", "9007199254740993 > 9007199254740992.0", "9007199254740993 < 9007199254740992.0",
    f"{MAX} == 9223372036854775808.0", f"{MAX} < 9223372036854775808.0", f"{MIN} == -9223372036854775808.0", f"{MIN} < -1e300",
    f"{MAX} < 1e300", "3 < 3.5", "-3 > -3.5", f"{{9223372036854774784: 'x'}}[9223372036854774784.0]", f"{{{MIN}: 'x'}}[-9223372036854775808.0]",
    f"[9007199254740993, 9007199254740992.0, {MAX}, 9223372036854775808.0] | sort", f"[{MAX}, 9223372036854775807] | unique | list",
    "1 < inf", "1 > -inf", "1 == nan", "1 < nan", "1 >= nan",
    f"{MIN} is odd", f"{MAX} is odd", f"{MIN} is even", f"{MAX} is divisibleby(-1)", f"{MIN} is divisibleby({MIN})", f"{MAX} is divisibleby 0",
    # texts to numbers and back
    *crossed("'{}' | int", EXTREMES), f"'{MAX}x' | int", f"'{MAX}0x' | int(5)", "'-0x8000000000000000' | int(base=16)",
    "'0x7fffffffffffffff' | int(0, 16)", "'12' | int(0, 1)", f"'12' | int(7, {MAX})", f"'12' | int(7, {MIN})", "'1e400' | int(3)", "'nan' | int(4)",
    "'9223372036854774784.0' | int", "'-9223372036854775808.0' | int", "9223372036854774784.0 | int", "inf | int(3)", "nan | int(4)",
    *crossed("'%d|%x|%X|%o|%+d|% d|%#x|%s' % ({0}, {0}, {0}, {0}, {0}, {0}, {0}, {0})", EXTREMES),
    *crossed("'{{0:d}}|{{0:x}}|{{0:#b}}|{{0:o}}|{{0:,}}|{{0:+}}|{{0:e}}|{{0:_}}'.format({0})", EXTREMES),
    *crossed("({}).bit_length()", EXTREMES), *crossed("{} | float", EXTREMES), *crossed("{} | string", EXTREMES), *crossed("{} | tojson", EXTREMES),
    "'%d' % 9223372036854774784.0", "'%d' % -9223372036854775808.0", "'%c' % 0x10FFFF == '\\U0010FFFF'", "'%c' % 0x110000", "'%c' % -1",
    f"'%c' % {MAX}", f"'{{:c}}'.format({MIN})", "'{:c}'.format(233)", "'{:.2d}'.format(5)", "'{:.0}'.format(5)", "'%.3d|%.0d' % (5, 5)",
    f"'{{0[{2**62}]}}'.format({{{2**62}: 'x'}})", f"'{{0[{MAX + 1}]}}'.format([1])", f"'{{{MAX}}}'.format(1)", f"'{{{MAX + 1}}}'.format(1)",
    f"[{{{MAX}: 'x'}}] | map(attribute='{MAX}') | list",
    # rounding
    *crossed("{} | round({})", [MIN, -2**62, 0, 1, 5, 2**62, MAX], [-400, -20, 0, 1, 400, MAX]),
    *crossed("{} | round({})", [-2**62, 2**62], [-19, -18, -17, -3, -1]), *crossed("{} | round(-1)", [15, 25, -15, -25, 9007199254740995, 9007199254740985]),
    "5000000000000000000 | round(-19)", "4999999999999999999 | round(-19)", f"{MAX} | round(-18)",
    *crossed("{} | round({}, 'floor')", [MIN, 9007199254740993, MAX], [0, 2]), *crossed("{} | round({}, 'ceil')", [MIN, MAX], [0, 2]),
    *crossed("2.5 | round({})", [MIN, -400, -309, -308, 400, MAX]), "1.7e308 | round(-308)", "1.7976931348623157e308 | round(-307)",
    "1.5 | round(-400, 'floor')", "1.5 | round(400, 'floor')", "nan | round(0, 'ceil')", "inf | round(0, 'ceil')",
    f"{MIN} | filesizeformat", f"{MAX} | filesizeformat", f"{MAX} | filesizeformat(true)", "(-inf) | filesizeformat",
    # widths and counts
    *crossed("'x'.center({})", [MIN, MIN + 1, -1, 0, 3]), *crossed("'x' | center({})", [MIN, -1, 3]), *crossed("'x'.ljust({})", [MIN, -1, 3]),
    *crossed("'x'.rjust({})", [MIN, -1, 3]), *crossed("'-x'.zfill({})", [MIN, -1, 4]), *crossed("'a\\nb' | indent({})", [MIN, -1, 2]),
    *crossed("'aaa'.replace('a', 'b', {})", [MIN, -1, 0, 2, MAX]), *crossed("'aaa' | replace('a', 'b', {})", [MIN, -1, MAX]), *crossed("'ab'.replace('', '-', {})", [MIN, MAX]),
    *crossed("'a b c'.split(' ', {})", [MIN, 1, MAX]), *crossed("'a b c'.split(none, {})", [MIN, 1, MAX]), *crossed("'a b c'.rsplit(none, {})", [MIN, 1, MAX]),
    *crossed("'häher'.find('h', {}, {})", SIGNED, SIGNED), *crossed("'häher'.count('h', {}, {})", SIGNED, SIGNED), *crossed("'häher'.startswith('h', {}, {})", SIGNED, SIGNED),
    *crossed("'häher'.rfind('h', {})", SIGNED), *crossed("'a\\tb'.expandtabs({})", [-2**31, -1, 0, 2]),
    *crossed("'The quick brown fox' | truncate({}, true, '', {})", [MIN, -1, 0, 4, MAX], [MIN, 0, 3, MAX]), *crossed("'The quick' | truncate({})", [MIN, 2, MAX]),
    *crossed("'a b' | wordwrap({})", [MIN, -1, 0, 1, MAX]), *crossed("'ab' * {}", [MIN, -1, 0, 2]), *crossed("[1] * {}", [MIN, -1, 0, 2]), *crossed("'' * {}", [MAX]), *crossed("[] * {}", [MAX]),
    *crossed("[1, 2, 3] | batch({}) | list", [MIN, -1, 0, 2, MAX]), *crossed("[1, 2, 3] | batch({}, 'x') | list", [MIN, -1, 0, 2]), *crossed("[1, 2, 3] | slice({}) | list", [MIN, -1, 0, 2]),
    *crossed("[1] | tojson(indent={})", [MIN, -1, 1]), f"[{MIN}, {MAX}] | tojson", f"[1, 2].index({MAX})", f"[{MAX}].count({MAX})", "lipsum is callable",
    f"{{{MIN}: 1, {MAX}: 2}}[{MAX}]", f"({MIN}, {MAX}) < ({MAX}, {MIN})", f"[3, {MIN}, {MAX}] | sort", f"namespace(a={MIN}).a",
]
LONGER = [
    f"{MAX} + 1", f"{MIN} - 1", f"{MAX} * {MAX}", f"{MIN} * -1", f"{MIN} // -1", f"-({MIN})", f"- {MIN}", "2 ** 63", "3 ** 40", "(-2) ** 65", f"2 ** 64 % 5", f"{MIN} | abs", f"[{MAX}, 1] | sum",
    "9223372036854775808", "-9223372036854775809", "0x8000000000000000", f"'{MAX + 1}' | int", f"'{MIN - 1}' | int", "1e19 | int", "-1e300 | int", "'1e19' | int", "'%d' % 1e19", "'%d' % 9223372036854775808.0",
    f"{MAX} | round(-19)", f"{MIN} | round(-19)", f"{MIN} | round(-1)", f"{MAX} | round(-1)", "-1e300 | filesizeformat", f"range({MAX}, {MIN}, {MIN})[::-1].stop",
    f"range({MIN}, {MAX}, {MAX})[::2].step", f"range({MAX}, {MIN}, {MIN})[::{MAX}][::{MAX}] | list", f"[{{}}] | map(attribute='{MAX + 1}') | list",
]


def run(expression):
    source = "{{ " + expression + " }}"
    try:
        return {"source": source, "text": ENVIRONMENT.from_string(source).render(inf=math.inf, nan=math.nan)}
    except Exception as error:  # whatever Jinja or Python raises is the golden
        return {"source": source, "error": type(error).__name__, "message": str(error)}


ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
# As transformers': no HTML in it.
ENVIRONMENT.filters["tojson"] = lambda value, indent=None: json.dumps(value, ensure_ascii=False, indent=indent)


def main():
    rows = [run(expression) for expression in dict.fromkeys(EXACT)]
    rows += [{**run(expression), "longer": True} for expression in LONGER]
    path = pathlib.Path(__file__).parents[2] / "tests/golden/templates/integers.json"
    with open(path, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    print(f"{len(rows)} expressions, {sum('error' in row for row in rows)} of them raise, {len(LONGER)} need longer numbers")


if __name__ == "__main__":
    main()
