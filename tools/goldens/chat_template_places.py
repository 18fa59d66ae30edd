#!/usr/bin/env python3
"""Golden choices of chat templates: tests/golden/templates/places.json.

usage: tools/goldens/chat_template_places.py [SEED [COUNT]]   (with the Python of tools/make-oracle)

Model folders with chat templates in random places and under random names, roles of tokens in random
files, a row with or without tools and None fields, with or without a name: what AutoTokenizer's
apply_chat_template writes, or "" where it refuses.
{"body": text that a template "«NAME»" stands for, with NAME for «», "cases": [{"files", "row",
"name", "text"}]}.
"""
import json
import pathlib
import random
import re
import sys
import tempfile

import transformers
from transformers import AutoTokenizer

TOKENIZER = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
             "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "<unk>": 2}, "unk_token": "<unk>"}}
BODY = ("{}: {{{{ bos_token }}}}|{{{{ eos_token }}}}|{{{{ pad_token }}}}|{{{{ unk_token }}}}|{{{{ sep_token }}}}|{{{{ image_token }}}} "
        "{{{{ messages | tojson }}}} {{{{ tools | tojson }}}} {{{{ enable_thinking }}}} {{{{ add_generation_prompt }}}}")
ROLES = ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "image_token"]
NAMES = ["default", "tool_use", "rag"]


def expanded(text):
    return re.sub("«(.*?)»", lambda found: BODY.format(found[1]), text)


def some(draw, items, most):
    return draw.sample(items, draw.randint(0, min(most, len(items))))


def roles_of(draw, where):
    found = {}
    for role in some(draw, ROLES, 4):
        token = f"<{where}-{role}>"
        if role == "image_token" or draw.random() < 0.6:
            found[role] = token
        else:
            found[role] = {"content": token, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
            if where == "config":
                found[role]["__type"] = "AddedToken"
    return found


def folder_of(draw):
    files = {"tokenizer.json": json.dumps(TOKENIZER)}
    config = roles_of(draw, "config") if draw.random() < 0.8 else None
    form = draw.choice(["none", "text", "list", "object", "null"])
    if form != "none":
        config = config or {}
        names = some(draw, NAMES, 3) or ["default"]
        config["chat_template"] = {
            "text": "«config»", "null": None,
            "list": [{"name": name, "template": f"«config {name}»"} for name in names],
            "object": {name: f"«config {name}»" for name in names}}[form]
    if config is not None and draw.random() < 0.3:
        config["added_tokens_decoder"] = {"3": {"content": "<x>", "lstrip": False, "rstrip": False, "normalized": False,
                                                "single_word": False, "special": True}}
    if config is not None:
        files["tokenizer_config.json"] = json.dumps(config, ensure_ascii=False)
    if draw.random() < 0.5:
        files["special_tokens_map.json"] = json.dumps({k: v for k, v in roles_of(draw, "map").items() if k != "image_token"})
    if draw.random() < 0.4:
        files["chat_template.jinja"] = "«file»"
    if draw.random() < 0.4:
        for name in some(draw, NAMES, 2):
            files[f"additional_chat_templates/{name}.jinja"] = f"«folder {name}»"
    if draw.random() < 0.3:
        files["chat_template.json"] = json.dumps({"chat_template": "«processor»"}, ensure_ascii=False)
    return files


def render(folder, row, name):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    templates = tokenizer.chat_template
    if templates is None:
        return None
    if name is not None and not (isinstance(templates, dict) and name in templates):
        if name != "default" or isinstance(templates, dict):
            return ""  # transformers takes the name itself for a template
        name = None
    try:
        return tokenizer.apply_chat_template(row["messages"], tools=row.get("tools"), chat_template=name, tokenize=False,
                                             add_generation_prompt=row.get("add_generation_prompt", False),
                                             **{k: v for k, v in row.items() if k == "enable_thinking"})
    except ValueError:
        return ""


def main():
    transformers.logging.set_verbosity_error()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 70
    draw = random.Random(seed)
    cases = []
    while len(cases) < count:
        files = folder_of(draw)
        row = {"messages": [{"role": "user", "content": "hi", "name": None}, {"role": "assistant", "content": None, "reasoning": "r"}][:draw.randint(1, 2)]}
        if draw.random() < 0.5:
            row["tools"] = draw.choice([[{"type": "function", "function": {"name": "f"}}], [], None])
        if draw.random() < 0.5:
            row["add_generation_prompt"] = draw.random() < 0.5
        if draw.random() < 0.3:
            row["enable_thinking"] = False
        name = draw.choice([None, None] + NAMES)
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                file = pathlib.Path(folder) / path
                file.parent.mkdir(exist_ok=True)
                file.write_text(expanded(text))
            text = render(folder, row, name)
        if text is None:
            if "chat_template.json" in files:
                continue  # a processor's template, which a tokenizer does not see and we read
            text = ""
        files.pop("tokenizer.json")
        cases.append({"files": files, "row": row, "name": name, "text": text})
    path = pathlib.Path(__file__).parents[2] / "tests/golden/templates/places.json"
    path.write_text(json.dumps({"body": BODY.format("«»"), "cases": cases}, ensure_ascii=False) + "\n")
    print(len(cases), "folders,", sum(not c["text"] for c in cases), "refused")


if __name__ == "__main__":
    main()
