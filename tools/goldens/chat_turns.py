#!/usr/bin/env python3
"""Golden turns of conversations: tests/golden/chat/turns.json.

usage: tools/goldens/chat_turns.py [FOLDER]   (with the Python of tools/make-oracle)

For each template (its text, or its name in FOLDER, ../shared/data/chat-templates) and conversation:
what transformers' rendering asks the assistant's turns with, and what each then writes, as
[{"request", "completion"}]. A turn is generated behind the request, so the completion is what the
conversation up to the turn adds to it. Templates that open <think> in the request and do not write
it again do not say what the completion is; there it is the message's thinking, closed, and what
they write of the answer ("reopened").
"""
import json
import pathlib
import sys

from transformers.utils.chat_template_utils import render_jinja_template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
PLAIN = ("{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}"
         "{% if add_generation_prompt %}<assistant>{% endif %}")
# Qwen 3's way: thinking is kept behind the last question, an empty one is written there too.
DROPS = """{%- set ns = namespace(last=0) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- for m in messages -%}
{%- set content = m.content if m.content is string else '' -%}
{%- if m.role == 'assistant' -%}
{%- set thought = m.reasoning_content if m.reasoning_content is string else '' -%}
{%- if not thought and '</think>' in content -%}
{%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') -%}
{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}
{%- endif -%}
{{- '<|im_start|>assistant\\n' -}}
{%- if loop.index0 > ns.last and (loop.last or thought) -%}{{- '<think>\\n' ~ thought.strip('\\n') ~ '\\n</think>\\n\\n' -}}{%- endif -%}
{{- content.lstrip('\\n') -}}
{%- for call in m.tool_calls or [] -%}{{- '\\n<tool_call>' ~ (call.function | tojson) ~ '</tool_call>' -}}{%- endfor -%}
{{- '<|im_end|>\\n' -}}
{%- else -%}{{- '<|im_start|>' ~ m.role ~ '\\n' ~ content ~ '<|im_end|>\\n' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}
{%- if enable_thinking is defined and not enable_thinking -%}{{- '<think>\\n\\n</think>\\n\\n' -}}{%- endif -%}{%- endif -%}
"""
# DeepSeek R1's way: the request opens the thinking, the conversation is written without any.
OPENS = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}<A>"
         "{{ m.content.split('</think>')[-1] if m.content else '' }}{% for c in m.tool_calls or [] %}"
         "<call>{{ c.function.name }}</call>{% endfor %}{{ eos_token }}"
         "{% else %}<{{ m.role }}>{{ m.content }}{% endif %}{% endfor %}"
         "{% if add_generation_prompt %}<A><think>\n{% endif %}")
TRIMS = OPENS.replace("m.content.split('</think>')[-1]", "m.content.split('</think>')[-1] | trim").replace(
    "<A><think>\n", "<A>[THINK]").replace("</think>", "[/THINK]")

CHATS = {
    "plain": [("user", "1 + 1?"), ("assistant", "2"), ("user", "and 2 + 2?"), ("assistant", "4"), ("user", "3 + 3?"), ("assistant", "6")],
    "thinking": [("system", "Be brief."), ("user", "1 + 1?"), ("assistant", "<think>\nOne and one.\n</think>\n\n2"),
                 ("user", "and 2 + 2?"), ("assistant", "<think>\nTwo and two.\n</think>\n\n4")],
    "one turn": [("user", "q"), ("assistant", "<think>\nhm\n</think>\n\na")],
    "tools": [("user", "weather?"), {"role": "assistant", "content": "<think>\nI must look.\n</think>\n\n",
              "tool_calls": [{"type": "function", "function": {"name": "look", "arguments": {"n": 1}}}]},
              ("tool", "sun"), ("assistant", "<think>\nSun.\n</think>\n\nIt is sunny."), ("user", "thanks"), ("assistant", "!")],
    "fields": [("user", "q"), {"role": "assistant", "reasoning_content": "\nfirst thought\n", "content": "a"}, ("user", "r"),
               {"role": "assistant", "thinking": "second thought", "content": "b"}],
}


def turns(template, messages, kwargs, tag):
    def text(part, opened):
        part = [{k: v for k, v in m.items() if v is not None} for m in part]
        return render_jinja_template([part], chat_template=template, add_generation_prompt=opened, **TOKENS, **kwargs)[0][0]

    found = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        request, whole = text(messages[:i], True), text(messages[:i + 1], False)
        if whole.startswith(request):
            found.append({"request": request, "completion": whole[len(request):]})
            continue
        opening, closing = f"<{tag}>", f"</{tag}>"
        if tag == "THINK":
            opening, closing = "[THINK]", "[/THINK]"
        at = request.rindex(opening)
        assert request[at:].strip() == opening and whole.startswith(request[:at]), (request, whole)
        space = request[at + len(opening):]
        answer = whole[at:]
        content = message.get("content") or ""
        thought = message.get("reasoning_content") or message.get("thinking")
        if closing in content:
            thinking, behind = content.rsplit(closing, 1)
            thinking = thinking.lstrip().removeprefix(opening)
            thinking = thinking[len(space):] if thinking.startswith(space) else thinking.lstrip()
            gap = behind[:len(behind) - len(behind.lstrip())]
        else:
            thinking, gap = (thought.strip() + "\n", "\n\n") if thought else ("\n", "\n\n")
        if answer[:1].isspace():
            gap = ""
        found.append({"request": request, "completion": thinking + closing + gap + answer, "reopened": True})
    return found


def main():
    root = pathlib.Path(__file__).parents[2]
    shared = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root.parent / "shared/data/chat-templates"
    templates = [("plain", PLAIN, "think", {}), ("drops", DROPS, "think", {}),
                 ("drops, off", DROPS, "think", {"enable_thinking": False}), ("opens", OPENS, "think", {}), ("trims", TRIMS, "THINK", {})]
    for name in ["deepseek-ai-DeepSeek-R1-Distill-Llama-8B.jinja", "llama-cpp-deepseek-r1.jinja", "stepfun-ai-Step-3.5-Flash.jinja",
                 "Qwen-Qwen2.5-7B-Instruct.jinja"]:
        templates.append((name, (shared / name).read_text(), "think", {}))
    cases = []
    for name, source, tag, kwargs in templates:
        for title, chat in CHATS.items():
            messages = [m if isinstance(m, dict) else {"role": m[0], "content": m[1]} for m in chat]
            if tag == "THINK":
                messages = json.loads(json.dumps(messages).replace("</think>", "[/THINK]").replace("<think>", "[THINK]"))
            try:
                found = turns(source, messages, kwargs, tag)
            except Exception as error:  # a template that takes no tools
                print(name, title, type(error).__name__, error)
                continue
            case = {"template": name, "chat": title, "messages": messages, "kwargs": kwargs, "turns": found}
            if not name.endswith(".jinja"):
                case["source"] = source
            cases.append(case)
    path = root / "tests/golden/chat/turns.json"
    path.write_text(json.dumps({"tokens": TOKENS, "cases": cases}, indent=0, ensure_ascii=False) + "\n")
    print(len(cases), "conversations,", sum(len(c["turns"]) for c in cases), "turns,",
          sum(t.get("reopened", False) for c in cases for t in c["turns"]), "reopened")


if __name__ == "__main__":
    main()
