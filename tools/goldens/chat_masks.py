#!/usr/bin/env python3
"""Golden ids and assistant masks of conversations: tests/golden/chat/.

usage: tools/goldens/chat_masks.py FOLDER   (holds chat-templates/; with the Python of tools/make-oracle)

Templates that models ship, with {% generation %} blocks put around what the assistant writes (as
replacements, so that no shipped template is kept here), and a small one of ours. The ids and masks are
those of transformers' apply_chat_template(return_assistant_tokens_mask=True), with small tokenizers of
tests/golden/tokenizers to which the templates' special tokens are added.
"""
import json
import pathlib
import sys

from tokenizers import AddedToken, Tokenizer, normalizers
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKENIZERS = ROOT / "tests/golden/tokenizers"
OUT = ROOT / "tests/golden/chat"

OURS = """{{ bos_token }}{% for m in messages %}[{{ m.role }}]
{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}
{% else %}{{ m.content }}
{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]
{% endif %}"""

# name: tokenizer, template, replacements, special tokens, bos, eos, normalizer
CASES = {
    "qwen2.5": ("qwen", "Qwen-Qwen2.5-7B-Instruct.jinja", [[
        "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}",
        "{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.role == 'assistant' %}"
        "{% generation %}{{- message.content + '<|im_end|>' }}{% endgeneration %}{{- '\\n' }}"
        "{%- else %}{{- message.content + '<|im_end|>' + '\\n' }}{%- endif %}"]],
        ["<|im_start|>", "<|im_end|>"], None, "<|im_end|>", normalizers.NFC()),
    "llama3.1": ("llama3", "meta-llama-Llama-3.1-8B-Instruct.jinja", [[
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}",
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
        "{%- if message['role'] == 'assistant' %}{% generation %}{{- message['content'] | trim + '<|eot_id|>' }}{% endgeneration %}"
        "{%- else %}{{- message['content'] | trim + '<|eot_id|>' }}{%- endif %}"]],
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
        "<|begin_of_text|>", "<|eot_id|>", None),
    "gemma2": ("metaspace_first", "google-gemma-2-2b-it.jinja", [[
        "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}",
        "{{ '<start_of_turn>' + role + '\n' }}{% if role == 'model' %}{% generation %}"
        "{{ message['content'] | trim + '<end_of_turn>\n' }}{% endgeneration %}{% else %}"
        "{{ message['content'] | trim + '<end_of_turn>\n' }}{% endif %}"]],
        ["<start_of_turn>", "<end_of_turn>"], "<s>", "</s>", None),
    "deepseek3.1": ("unigram_precompiled", "deepseek-ai-DeepSeek-V3.1.jinja", [[
        "{{content + '<｜end▁of▁sentence｜>'}}",
        "{% generation %}{{content + '<｜end▁of▁sentence｜>'}}{% endgeneration %}"]],
        ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "</think>"],
        "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", None),
    "ours": ("llama2", None, [], [], "<s>", "</s>", None),
    "ours_bytes": ("llama3", None, [], [], "<s>", "</s>", None),
}


def turns(*texts, system=None):
    messages = [{"role": "system", "content": system}] if system else []
    for i, text in enumerate(texts):
        messages.append({"role": "assistant" if i % 2 else "user", "content": text})
    return messages


CHATS = [
    turns("Hello", "Hi there, what is it?"),
    turns("1+1?", "2", "and 2+2?", "It is 4.\n\nSure.", "thanks", "  you are welcome \n"),
    turns("Grüße 你好", "été 🚀 naïve कि 🚀", system="Answer in the user's language."),
    turns("decomposed", "caf\u0065\u0301 and na\u0069\u0308ve", "A\u030angstro\u0308m", "\u0041\u030a"),
    turns("lines", "\n\nstarts with lines", "only", "a", "x", "the end\n"),
    turns("tabs", "def f(x):\n\treturn x  # ok\n    y", system="You are terse."),
]


def starts(tokenizer, messages, template):
    """The first token of each block; None where its first character is in no token."""
    texts, spans = render_jinja_template(conversations=[messages], chat_template=template,
                                         return_assistant_tokens_mask=True,
                                         **tokenizer.special_tokens_map)
    encoded = tokenizer(texts, add_special_tokens=False)
    return [encoded.char_to_token(0, begin) for begin, _ in spans[0]]


def render(name, shared):
    base, file, replacements, special, bos, eos, normalizer = CASES[name]
    tokenizer = Tokenizer.from_file(str(TOKENIZERS / base / "tokenizer.json"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    tokens = {"eos_token": eos} | ({"bos_token": bos} if bos else {})
    (folder / "tokenizer_config.json").write_text(json.dumps(tokens))
    fast = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), **tokens)
    template = OURS if file is None else (shared / "chat-templates" / file).read_text()
    for old, new in replacements:
        assert template.count(old) == 1, (name, template.count(old))
        template = template.replace(old, new)
    rows = []
    for messages in CHATS:
        if "gemma" in name:
            messages = [m for m in messages if m["role"] != "system"]
        out = fast.apply_chat_template(messages, chat_template=template, tokenize=True, return_dict=True,
                                       return_assistant_tokens_mask=True)
        if any(start is None for start in starts(fast, messages, template)):
            continue  # transformers then leaves out all that follows
        assert sum(out["assistant_masks"]) > 0
        rows.append({"messages": messages, "ids": out["input_ids"],
                     "mask": "".join(map(str, out["assistant_masks"]))})
    return {"name": name, "template": file or OURS, "shared": file is not None,
            "replace": replacements, "rows": rows}


def main():
    shared = pathlib.Path(sys.argv[1])
    cases = [render(name, shared) for name in CASES]
    (OUT / "masks.json").write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
