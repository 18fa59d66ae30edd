#!/usr/bin/env python3
"""Random chat templates by feature: tests/golden/templates/random.json, or against a binary.

usage: tools/goldens/template_fuzz.py [SEED [COUNT]]              makes the golden file
       tools/goldens/template_fuzz.py --against ALAMBIC [SECONDS [SEED]]   the slow form
(with the Python of tools/make-oracle)

Templates are drawn from a grammar of what chat templates are made of: loops with their variables,
conditions, namespaces, macros, blocks that call them, filters, tests, methods, slices, arithmetic,
comparisons, white space control, {% generation %}. Each is rendered in the environment that
transformers compiles chat templates in; what raises is recorded by its class.
{"context", "cases": [{"source", "text"} or {"source", "error"}]}.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from transformers.utils.chat_template_utils import _compile_jinja_template

CONTEXT = {
    "messages": [
        {"role": "system", "content": "Be brief. "},
        {"role": "user", "content": [{"type": "text", "text": "Grüße, 你好 🚀"}, {"type": "image", "url": "u"}]},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nyo", "reasoning_content": "hm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": {"city": "Köln", "n": [1, 2.5, None, True]}}}]},
        {"role": "tool", "tool_call_id": "c1", "name": "look", "content": "{\"t\": 21}"},
        {"role": "user", "content": "  and <b>now</b>?\n"},
        {"role": "assistant", "content": ""}],
    "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.\nTwice.", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["a", "b"]}, "n": {"type": ["number", "null"]}}, "required": ["city"]}}}],
    "documents": None, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>", "enable_thinking": False,
    "n": 7, "f": 2.5, "s": "Hello World", "l": [3, 1, 2], "d": {"b": 1, "a": 2}, "no": None,
}


class Draw:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.names = []

    def one(self, *options):
        return self.r.choice(options)

    def chance(self, share):
        return self.r.random() < share

    def text(self, depth):
        if depth <= 0 or self.chance(0.25):
            return self.one("s", "bos_token", "messages[0].content", "messages[-2].content", "messages[0]['role']", "'a-b_c'", "''", "'x\\ny'", "'Ünï'",
                            "messages[2].reasoning_content", "tools[0].function.name", "' pad '", *self.names)
        t = lambda: self.text(depth - 1)  # noqa: E731
        i = lambda: self.whole(depth - 1)  # noqa: E731
        return self.one(
            lambda: f"{t()} ~ {self.any(depth - 1)}", lambda: f"({t()} + {t()})",
            lambda: f"({t()}){self.one('.strip()', '.upper()', '.lower()', '.title()', '.lstrip()', '.rstrip(chr)' if False else '.rstrip()', '.capitalize()', '.swapcase()')}",
            lambda: f"({t()}).replace({self.one(chr(39) + 'l' + chr(39), chr(39) + chr(39), 's')}, {t()})",
            lambda: f"({t()}).split({self.one('', chr(39) + ' ' + chr(39), 'none, 1', chr(39) + '</think>' + chr(39))})[{self.one('0', '-1')}]",
            lambda: f"({t()})[{self.one('', i())}:{self.one('', i())}{self.one('', ':-1', ':2')}]",
            lambda: f"({t()}) | {self.one('trim', 'upper', 'lower', 'capitalize', 'title', 'length', 'string', 'e', 'safe', 'reverse', 'first', 'last', 'indent(2)', 'indent(3, true)', 'truncate(5)', 'wordcount', 'center(9)', 'striptags', 'urlencode', 'forceescape', 'replace(chr)' if False else 'list')}",
            lambda: f"({t()}) | {self.one('default', 'd')}({t()}{self.one('', ', true')})",
            lambda: f"({self.any(depth - 1)}) | tojson{self.one('', '(indent=2)', '(ensure_ascii=true)', '(sort_keys=true)')}",
            lambda: f"'%s|%5s|%-4d|%.2f' % ({t()}, {t()}, {i()}, {self.one('f', '1.005', i())})",
            lambda: f"'{{}}-{{:>6}}-{{:03d}}'.format({t()}, {t()}, {i()})",
            lambda: f"({self.rows(depth - 1)}) | join({self.one('', chr(39) + ', ' + chr(39), 's')})",
            lambda: f"({t()} if {self.truth(depth - 1)}{self.one(' else ' + t(), ' else ' + t(), '')})",
            lambda: f"{self.one(chr(39) + ', ' + chr(39), 's')}.join({self.one('[s, bos_token]', 'd', 'messages | map(attribute=' + chr(39) + 'role' + chr(39) + ')', '(s, eos_token)')})",
            lambda: f"({t()}) * {self.one('2', '0', '-1')}",
        )()

    def whole(self, depth):
        if depth <= 0 or self.chance(0.4):
            return self.one("n", "0", "1", "2", "-1", "3", "messages | length", "l[0]", "d.a")
        w = lambda: self.whole(depth - 1)  # noqa: E731
        return self.one(lambda: f"({w()} {self.one('+', '-', '*', '//', '%')} {w()})", lambda: f"({self.rows(depth - 1)}) | {self.one('length', 'count')}",
                        lambda: f"({w()}) | {self.one('abs', 'int', 'round')}", lambda: f"({self.text(depth - 1)}) | length",
                        lambda: f"({self.text(depth - 1)}).{self.one('find', 'count')}('l')", lambda: f"-({w()})",
                        lambda: f"l | {self.one('sum', 'min', 'max', 'first', 'last')}", lambda: f"('{self.one('12', '-3', '0x1F', 'x', ' 5 ')}') | int({self.one('', '9', '0, 16')})",
                        lambda: f"({w()}) ** 2", lambda: f"({w()} / {self.one('2', '3', '4.0')})")()

    def rows(self, depth):
        if depth <= 0 or self.chance(0.35):
            return self.one("l", "messages", "tools", "[1, 'a', none, 2.5]", "range(4)", "d.items()", "messages[1].content", "(1, 2)", "'abc' | list", "[]")
        r = lambda: self.rows(depth - 1)  # noqa: E731
        return self.one(lambda: f"({r()}) | {self.one('list', 'reverse | list', 'sort' if self.chance(0.2) else 'list', 'unique | list' if self.chance(0.3) else 'list', 'batch(2) | list', 'slice(2) | list')}",
                        lambda: f"({r()})[{self.one('1:', ':-1', '::-1', ':2', '::2')}]",
                        lambda: f"messages | {self.one('selectattr', 'rejectattr')}('{self.one('role', 'content', 'tool_calls')}'{self.one('', ', ' + chr(39) + 'equalto' + chr(39) + ', ' + chr(39) + 'user' + chr(39), ', ' + chr(39) + 'defined' + chr(39), ', ' + chr(39) + 'in' + chr(39) + ', [' + chr(39) + 'user' + chr(39) + ']')}) | list",
                        lambda: f"messages | map(attribute='{self.one('role', 'content', 'name')}'{self.one('', ', default=' + chr(39) + '-' + chr(39))}) | list",
                        lambda: f"l | {self.one('map', 'select', 'reject')}({self.one(chr(39) + 'string' + chr(39) if False else chr(39) + 'odd' + chr(39), chr(39) + 'gt' + chr(39) + ', 1')}) | list",
                        lambda: f"({self.text(depth - 1)}).{self.one('split', 'splitlines', 'rsplit')}()", lambda: f"[{self.any(depth - 1)}, {self.any(depth - 1)}]",
                        lambda: "d | dictsort", lambda: "d | items | list", lambda: "messages | groupby('role') | map('first') | list", lambda: f"(l + {self.one('[9]', 'l')})")()

    def truth(self, depth):
        if depth <= 0 or self.chance(0.2):
            return self.one("true", "false", "add_generation_prompt", "enable_thinking", "no", "missing", "tools", "loop.first" if self.names else "n")
        t = lambda: self.truth(depth - 1)  # noqa: E731
        return self.one(lambda: f"({t()} {self.one('and', 'or')} {t()})", lambda: f"not {t()}",
                        lambda: f"{self.any(depth - 1)} is {self.one('', 'not ')}{self.one('defined', 'none', 'string', 'mapping', 'iterable', 'sequence', 'number', 'undefined', 'boolean', 'true', 'false', 'integer', 'float', 'callable')}",
                        lambda: f"{self.whole(depth - 1)} {self.one('==', '!=', '<', '>', '<=', '>=')} {self.whole(depth - 1)}",
                        lambda: f"{self.text(depth - 1)} {self.one('==', '!=', 'in', 'not in')} {self.text(depth - 1)}",
                        lambda: f"({self.text(depth - 1)}).{self.one('startswith', 'endswith')}({self.one(chr(39) + '<' + chr(39), 's', '(' + chr(39) + 'H' + chr(39) + ', ' + chr(39) + ' ' + chr(39) + ')')})",
                        lambda: f"'{self.one('tool_calls', 'content', 'a')}' in {self.one('messages[2]', 'd', 's', 'l')}", lambda: f"{self.whole(depth - 1)} is {self.one('odd', 'even', 'divisibleby 3')}")()

    def any(self, depth):
        return self.one(self.text, self.whole, self.rows, self.truth, lambda depth: self.one("d", "no", "messages[2].tool_calls[0]", "{'k': n, 2: [s]}", "missing", "messages[1]", "f", "1e3", "tools[0]['function']"))(depth)

    def open(self):
        return self.one("{%", "{%-", "{%", "{%+" if self.chance(0.1) else "{%")

    def close(self):
        return self.one("%}", "-%}", "%}\n", "%}\n  ")

    def tag(self, body):
        return f"{self.open()} {body} {self.close()}"

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.r.randint(1, 3)))

    def statement(self, depth):
        if depth <= 0 or self.chance(0.35):
            return self.one(lambda: f"{self.one('{{', '{{-', '{{')} {self.any(3)} {self.one('}}', '-}}', '}}')}", lambda: self.one("text ", "\n", "  <|im_start|>", "é\n\n", "{# note #}", "{#- n -#} ", "{% raw %}{{ x }}{% endraw %}"))()
        b = lambda: self.body(depth - 1)  # noqa: E731

        def loop():
            name = self.one("m", "x", "item")
            rows = self.one("messages", self.rows(2), "messages[1:]", "d.items()", "range(3)")
            heads = f"for {name} in {rows}"
            if rows == "d.items()" and self.chance(0.7):
                heads = f"for k, {name} in d.items()"
            if self.chance(0.2):
                heads += f" if {self.truth(1)}"
            self.names.append(self.one(f"loop.index ~ ''", f"{name} ~ ''", "loop.revindex ~ loop.last", "loop.cycle('a', 'b')", "loop.previtem ~ ''", "loop.nextitem ~ ''", "loop.length ~ loop.depth0"))
            inner = b() + (self.tag(f"if {self.truth(1)}") + self.tag(self.one("break", "continue")) + self.tag("endif") if self.chance(0.15) else "")
            self.names.pop()
            return self.tag(heads) + inner + (self.tag("else") + b() if self.chance(0.15) else "") + self.tag("endfor")

        def condition():
            return (self.tag(f"if {self.truth(2)}") + b() + (self.tag(f"elif {self.truth(2)}") + b() if self.chance(0.3) else "")
                    + (self.tag("else") + b() if self.chance(0.5) else "") + self.tag("endif"))

        def macro():
            name = self.one("m1", "m2")
            return (self.tag(f"macro {name}(a, b={self.whole(1)})") + self.one("{{ a }}", "{{ a ~ b }}", "{{ varargs }}{{ kwargs }}", "{{ caller() if caller else a }}") + b() + self.tag("endmacro")
                    + self.one(f"{{{{ {name}({self.text(1)}) }}}}", f"{{{{ {name}(s, b={self.any(1)}) }}}}", self.tag(f"call {name}(1)") + "in" + self.tag("endcall")))

        return self.one(loop, loop, condition, condition, macro, lambda: self.tag(f"set v = {self.any(3)}") + "{{ v }}",
                        lambda: self.tag("set v") + b() + self.tag("endset") + "{{ v | length }}{{ v }}",
                        lambda: self.tag(f"set ns = namespace(a={self.any(1)})") + self.tag(f"for i in {self.rows(1)}") + self.tag("set ns.a = i") + self.tag("endfor") + "{{ ns.a }}",
                        lambda: self.tag(f"filter {self.one('upper', 'trim', 'replace(' + chr(39) + 'e' + chr(39) + ', ' + chr(39) + 'E' + chr(39) + ')', 'indent(1)')}") + b() + self.tag("endfilter"),
                        lambda: self.tag("generation") + b() + self.tag("endgeneration"), lambda: self.tag(f"with q = {self.any(2)}") + "{{ q }}" + b() + self.tag("endwith"))()


def run(source):
    try:
        return {"text": _compile_jinja_template(source).render(**CONTEXT)}
    except Exception as error:  # whatever Jinja or Python raises is the golden
        return {"error": type(error).__name__}


def prints_an_address(text):
    return any(word in text for word in (" at 0x", "<generator", "<bound method", "<built-in", "<function", "<Macro", "<class"))


def case_of(seed):
    draw = Draw(seed)
    source = draw.body(draw.r.randint(1, 3))
    found = run(source)
    return None if len(source) > 1500 or prints_an_address(found.get("text", "")) or len(found.get("text", "")) > 4000 else {"source": source, **found}


def against(binary, seconds, seed):
    """Renders as many as the time allows with the binary; prints each difference."""
    end, count, differences, refused = time.time() + seconds, 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "context.json").write_text(json.dumps(CONTEXT))
        while time.time() < end:
            seed += 1
            case = case_of(seed)
            if case is None:
                continue
            count += 1
            (folder / "t.jinja").write_text(case["source"])
            made = subprocess.run([binary, "render", "--template", folder / "t.jinja", "--context", folder / "context.json"],
                                  capture_output=True, text=True, check=False)
            if "text" not in case:
                if made.returncode != 2:
                    print(f"seed {seed}: raises {case['error']}, code {made.returncode}\n{case['source']}\n{made.stdout}\n")
                    differences += 1
                continue
            if made.returncode == 2 and ("not built" in made.stderr or "64 bits" in made.stderr):
                refused += 1
            elif made.returncode != 0 or made.stdout != case["text"]:
                print(f"seed {seed}: code {made.returncode} {made.stderr}\n{case['source']}\n--- expected\n{case['text']}\n--- found\n{made.stdout}\n")
                differences += 1
    print(f"{count} templates, {differences} differences, {refused} refused by name, last seed {seed}")


def main():
    if sys.argv[1:2] == ["--against"]:
        rest = [int(word) for word in sys.argv[3:]]
        against(sys.argv[2], rest[0] if rest else 3600, rest[1] if len(rest) > 1 else 10**6)
        return
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    cases = []
    while len(cases) < count:
        seed += 1
        case = case_of(seed)
        if case is not None and len(case["source"]) < 400 and len(case.get("text", "")) < 600:
            cases.append(case)
    path = pathlib.Path(__file__).parents[2] / "tests/golden/templates/random.json"
    path.write_text(json.dumps({"context": CONTEXT, "cases": cases}, ensure_ascii=False, indent=0) + "\n")
    print(len(cases), "templates,", sum("error" in case for case in cases), "of them raise")


if __name__ == "__main__":
    main()
