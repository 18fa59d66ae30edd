#!/usr/bin/env python3
"""Random rows by type, in every form of file, against what Python reads of them.

usage: tools/goldens/row_fuzz.py ALAMBIC [SECONDS [SEED]]        (Python alone suffices)

A file has some rows that are right: prompts as texts or messages, answers of every type, fields that
nobody reads with any value, names twice, escapes, white space; written as lines or as a list, with LF,
CRLF or CR, a byte order mark, packed or not. `alambic eval --out` must show the prompts and answers
that Python's json finds, of messages what they are but for fields that are null. In every other file
one row is wrong, and the command must end with 2 and name its file, its place and its field.
"""

import gzip
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8, "intermediate_size": 8,
          "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 4096, "vocab_size": 573}
TEMPLATE = "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}{% if add_generation_prompt %}a{% endif %}"
LETTERS = ["a", "B", " ", "7", "é", "\n", "\t", '"', "\\", "/", "{", "]", ",", "你", "🚀", "\u2028", "\x7f", "####"]
# What is no text; `answer` takes some of them.
NO_TEXT = [True, 0, -7, 1.5, 2**64, {}, {"a": None}]
LIBRARY = ("json.exception", "type must be", "parse error", "simdjson", "terminate called", "std::")


class Draw:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def one(self, options):
        return self.r.choice(options)

    def chance(self, share):
        return self.r.random() < share

    def text(self, least=0):
        return "".join(self.one(LETTERS) for _ in range(self.r.randint(least, 6)))

    def anything(self, depth=2):
        """A value of a field that nobody reads."""
        kind = self.r.randint(0, 9 if depth else 6)
        if kind < 3:
            return self.text()
        if kind < 7:
            return self.one([None, True, False, 0, -1, 2**63, 10**30, 1e300, 0.1, -0.0, float("nan"), float("inf")])
        if kind < 8:
            return [self.anything(depth - 1) for _ in range(self.r.randint(0, 3))]
        return {self.text(): self.anything(depth - 1) for _ in range(self.r.randint(0, 3))}

    def answer(self):
        return self.one([self.text(1), self.r.randint(-10**20, 10**20), True, False, [self.text(1), 3]])

    def messages(self):
        roles = ["user", "assistant"] * self.r.randint(0, 1) + ["user"]
        found = [{"role": "system", "content": self.text()}] if self.chance(0.3) else []
        for role in roles:
            message = {"role": role, "content": self.text()}
            if self.chance(0.2):
                message["name"] = self.text(1)
            if self.chance(0.1):
                message["content"] = [{"type": "text", "text": self.text()}]
            found.append(message)
        return found

    def row(self, conversations):
        """A row that is right."""
        row = {"answer": self.answer()}
        if conversations:
            row[self.one(["messages", "prompt"])] = self.messages()
        else:
            row["prompt"] = self.text(1)
        for _ in range(self.r.randint(0, 2)):
            row["x" + self.text()] = self.anything()
        for name in ("teacher", "completion", "teacher_prompt"):
            if self.chance(0.1):
                row[name] = None
        items = list(row.items())
        self.r.shuffle(items)
        return dict(items)

    def wrong(self, row, conversations):
        """The row with a value that is refused, and the name of its field."""
        row = dict(row)
        name = self.one(["answer", "teacher_prompt", "prompt"])
        if conversations:
            row = {"messages": self.messages(), "answer": "1"}
            kind = self.r.randint(0, 3)
            message = dict(self.one(row["messages"]))
            at = row["messages"].index(message)
            if kind == 0:
                message["role"], name = self.one([None, 3, "", "narrator", ["user"]]), "role"
            elif kind == 1:
                message["content"], name = self.one([7, True, {"a": 1}]), "content"
            elif kind == 2:
                del message["role"]
                name = "role"
            else:
                row["messages"], name = self.one([{}, "x", 3, [], [3], [[]]]), "messages"
                return row, name
            row["messages"][at] = message
            return row, name
        if name == "answer":
            row[name] = self.one([{}, [], [None], [[1]], {"text": ["a"]}])
        elif name == "prompt":
            row[name] = self.one([*NO_TEXT, None, float("nan")])
        else:
            row[name] = self.one(NO_TEXT)
        return row, name

    def written(self, row):
        """JSON of a row, spelled one way or another."""
        text = json.dumps(row, ensure_ascii=self.chance(0.5),
                          separators=self.one([(", ", ": "), (",", ":"), (" , ", " : ")]))
        if self.chance(0.2):  # a name that is there twice: the last counts
            name = self.one(list(row))
            text = "{" + json.dumps(name) + ": " + json.dumps(self.one([None, "early", 1, [], {}])) + "," + text[1:]
        return text

    def file(self, texts):
        """The bytes of a file of these rows, its name, and whether the place is a line."""
        if self.chance(0.7):
            end = self.one(["\n", "\r\n", "\r"])
            body = end.join(texts) + self.one(["", end])
            lines = True
        else:
            body = self.one(["[{}]", "[\n {}\n]\n"]).replace("{}", self.one([",", ",\n ", " ,\r\n"]).join(texts))
            lines = False
        data = body.encode()
        if self.chance(0.1):
            data = b"\xef\xbb\xbf" + data
        if self.chance(0.1):
            return gzip.compress(data), "rows.jsonl.gz", lines
        return data, self.one(["rows.jsonl", "rows.json", "rows.data"]), lines


def without_nulls(value):
    """Fields of messages that are null are left out, but for their content."""
    if isinstance(value, dict):
        return {name: without_nulls(v) for name, v in value.items() if v is not None or name == "content"}
    return [without_nulls(entry) for entry in value] if isinstance(value, list) else value


class Alambic:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        (folder / "t.jinja").write_text(TEMPLATE)
        (folder / "config.json").write_text(json.dumps(CONFIG))
        subprocess.run([binary, "init", "--model-config", folder / "config.json", "--tokenizer",
                        ROOT / "recipes/word_problems/tokenizer", "--out", folder / "model"],
                       check=True, capture_output=True)

    def read(self, data, name, conversations):
        """What the command ends with and says, and the prompts that it shows."""
        (self.folder / name).write_bytes(data)
        out = self.folder / "out.jsonl"
        out.unlink(missing_ok=True)
        template = ["--chat-template", self.folder / "t.jinja"] if conversations else []
        done = subprocess.run([self.binary, "eval", "--model", self.folder / "model", "--data", self.folder / name,
                               *template, "--max-new-tokens", "1", "--threads", "1", "--out", out],
                              capture_output=True, text=True, check=False)
        shown = [json.loads(line)["prompt"] for line in out.read_text().split("\n") if line] if out.exists() else []
        return done.returncode, done.stderr, shown


def differences(alambic, seed):
    """What is wrong with a drawn file: lines to print."""
    draw = Draw(seed)
    conversations = draw.chance(0.5)
    rows = [draw.row(conversations) for _ in range(draw.r.randint(1, 12))]
    texts = [draw.written(row) for row in rows]
    field = None
    if draw.chance(0.5):
        at = draw.r.randrange(len(rows))
        wrong, field = draw.wrong(rows[at], conversations)
        texts[at] = json.dumps(wrong, ensure_ascii=draw.chance(0.5))
    data, name, lines = draw.file(texts)
    code, said, shown = alambic.read(data, name, conversations)
    found = [f"a library's words: {word}" for word in LIBRARY if word in said]
    if field is None:
        wanted = [without_nulls(row.get("prompt") or row["messages"]) for row in rows]
        if code != 0 or shown != wanted:
            found += [f"code {code} {said}", f"wanted {wanted}", f"found {shown}"]
    elif code != 2 or field not in said or name not in said or (lines and f"{name}:{at + 1}" not in said):
        found.append(f"row {at + 1}, field {field}: code {code} {said}")
    return [f"seed {seed}", *found, data[:2000].decode(errors="replace")] if found else []


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 3600
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 10**6
    end, count, wrong = time.time() + seconds, 0, 0
    with tempfile.TemporaryDirectory() as name:
        alambic = Alambic(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(name))
        while time.time() < end:
            seed, count = seed + 1, count + 1
            lines = differences(alambic, seed)
            wrong += bool(lines)
            print(*lines, sep="\n", end="\n\n" if lines else "", flush=True)
    print(f"{count} files, {wrong} differences, last seed {seed}")
    sys.exit(bool(wrong))


main()
