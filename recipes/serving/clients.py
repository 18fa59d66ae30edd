#!/usr/bin/env python3
"""What clients of other libraries get from a running `alambic serve`, each where it is installed.

usage: recipes/serving/clients.py http://127.0.0.1:8000 [MODEL]

curl, openai (completions, streams, chat, errors, every field that changes an answer), litellm, TRL's VLLMClient.get_sequence_logprobs, and
lm-evaluation-harness's local-completions. Prints a line for each; the exit code is 1 where one is wrong.
"""

import importlib.util
import math
import shutil
import sys

ROOT = sys.argv[1].rstrip("/")
API = ROOT + "/v1"


def check_curl(model):
    import json
    import subprocess

    def curl(*words, **more):
        ask = {"model": model, "prompt": "Once", "max_tokens": 8, "seed": 1, **more}
        return subprocess.run(["curl", "-sS", "--max-time", "60", "-H", "Content-Type: application/json", *words,
                               API + "/completions", "-d", "@-"], input=json.dumps(ask), capture_output=True,
                              text=True)

    whole = json.loads(curl().stdout)
    streamed = curl("-N", stream=True).stdout
    events = [line[6:] for line in streamed.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    text = "".join(json.loads(event)["choices"][0]["text"] for event in events)
    assert text == whole["choices"][0]["text"], (text, whole)
    large = curl("-H", "Expect: 100-continue", user="x" * (1 << 20))
    assert json.loads(large.stdout)["choices"][0]["text"] == text, large.stderr
    wrong = curl("--fail-with-body", temperature=-1)
    assert wrong.returncode == 22 and json.loads(wrong.stdout)["error"]["param"] == "temperature", wrong
    return f"{whole['usage']['completion_tokens']} tokens, streamed the same; exit code 22 for a wrong field"


def openai_client():
    import openai

    return openai.OpenAI(base_url=API, api_key="none")


def check_openai(model):
    import openai

    client = openai_client()
    assert model in [entry.id for entry in client.models.list().data]
    ask = dict(model=model, prompt="Once", max_tokens=8, seed=1)
    whole = client.completions.create(**ask, logprobs=2)
    choice = whole.choices[0]
    assert len(choice.logprobs.tokens) == whole.usage.completion_tokens
    parts = client.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    chunks = list(parts)
    assert "".join(c.choices[0].text for c in chunks if c.choices) == choice.text
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    try:
        client.completions.create(model=model, prompt="Once", temperature=-1)
        raise AssertionError("a temperature of -1 was taken")
    except openai.BadRequestError as error:
        assert error.param == "temperature", error
    try:
        client.completions.create(model="nobody", prompt="Once")
        raise AssertionError("a model that is not there answered")
    except openai.NotFoundError:
        pass
    return f"{whole.usage.completion_tokens} tokens, streamed the same"


def check_openai_chat(model):
    client = openai_client()
    ask = dict(model=model, messages=[{"role": "user", "content": "Hello"}], max_tokens=8, seed=2)
    whole = client.chat.completions.create(**ask, logprobs=True, top_logprobs=3)
    content = whole.choices[0].logprobs.content
    assert len(content) == whole.usage.completion_tokens and len(content[0].top_logprobs) == 3
    text = "".join(chunk.choices[0].delta.content or ""
                   for chunk in client.chat.completions.create(**ask, stream=True))
    assert text == whole.choices[0].message.content
    return f"{whole.usage.completion_tokens} tokens, streamed the same"


def check_litellm(model):
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices
    import litellm

    answer = litellm.text_completion(model="text-completion-openai/" + model, prompt="Once",
                                     api_base=API, api_key="none", max_tokens=8, seed=1)
    direct = openai_client().completions.create(model=model, prompt="Once", max_tokens=8, seed=1)
    assert answer.choices[0].text == direct.choices[0].text
    return "the same text as openai"


def check_fields(model):
    """What changes an answer is honoured, or refused by its name; nothing is left out in silence."""
    import openai

    client = openai_client()

    def ask(**more):
        return client.chat.completions.create(
            **{"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "seed": 3, **more})

    plain = ask().choices[0].message.content
    assert len(ask(n=3).choices) == 3 and ask(n=3).choices[0].message.content == plain
    assert ask(max_tokens=openai.omit, max_completion_tokens=2).usage.completion_tokens <= 2
    if len(plain) > 1:
        assert ask(stop=[plain[1:], "never this"]).choices[0].message.content == plain[:1]
    forced = ask(logit_bias={"1": 100}, temperature=0, extra_body={"return_token_ids": True}).choices[0].token_ids
    assert set(forced) == {1} or len(forced) < 8, forced
    changed = {"presence_penalty": 0.5, "frequency_penalty": 0.5, "response_format": {"type": "json_object"},
               "top_logprobs": 2, "tool_choice": "required", "verbosity": "low", "web_search_options": {},
               "modalities": ["text", "audio"], "prediction": {"type": "content", "content": "a"},
               "functions": [{"name": "f", "parameters": {}}]}
    for name, value in changed.items():
        try:
            ask(**{name: value})
            raise AssertionError(f"'{name}' was ignored")
        except openai.BadRequestError as error:
            assert error.param == name, error
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert ask(messages=parts).choices[0].message.content == plain
    try:
        ask(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}])
        raise AssertionError("an image was taken")
    except openai.BadRequestError as error:
        assert error.param == "messages", error
    for name, value in {"user": "a", "metadata": {"a": "b"}, "store": True, "service_tier": "auto"}.items():
        assert ask(**{name: value}).choices[0].message.content == plain, name
    return f"n, stop, logit_bias, max_completion_tokens honoured; {len(changed)} others refused by name"


def check_litellm_chat(model):
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True

    ask = dict(model="openai/" + model, messages=[{"role": "user", "content": "Hello"}], max_tokens=8, seed=2,
               api_base=API, api_key="none")
    whole = litellm.completion(**ask)
    parts = list(litellm.completion(**ask, stream=True, stream_options={"include_usage": True}))
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert text == whole.choices[0].message.content, (text, whole)
    assert parts[-1].usage.completion_tokens == whole.usage.completion_tokens
    refused = {"presence_penalty": 0.5, "response_format": {"type": "json_object"}, "top_logprobs": 2}
    for name, value in refused.items():
        try:
            litellm.completion(**ask, **{name: value})
            raise AssertionError(f"'{name}' was ignored")
        except litellm.BadRequestError as error:
            assert name in str(error), error
    return f"{whole.usage.completion_tokens} tokens, streamed the same with usage; {len(refused)} fields refused by name"


def check_trl(model):
    import trl.generation.vllm_client as module

    module.is_vllm_available = lambda *_, **__: True  # its client needs no vLLM of its own
    client = module.VLLMClient(base_url=ROOT, connection_timeout=5.0)
    result = client.get_sequence_logprobs(sequences=[[3, 5, 7, 9, 4], [6, 8, 2]],
                                          prompt_lengths=[2, 1], top_logprobs=4)
    sizes = [len(row) for row in result["logprobs"]]
    assert sizes == [3, 2], sizes
    assert all(len(entry) == 4 for row in result["logprobs"] for entry in row)
    actual = [entry[0] for row in result["actual_logprobs"] for entry in row]
    assert all(math.isfinite(value) and value < 0 for value in actual)
    return f"log-probabilities of {len(actual)} tokens, 4 candidates each"


def harness(model):
    """lm-evaluation-harness's client of this server."""
    import requests
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    class ServerTokenizer(LocalCompletionsAPI):
        """Its tokens are the server's, so that no tokenizer need be found by a name."""

        def tok_encode(self, string, **_):
            return requests.post(ROOT + "/tokenize", json={"prompt": string}).json()["tokens"]

    api = ServerTokenizer(model=model, base_url=API + "/completions", tokenizer_backend=None,
                          tokenized_requests=True)
    # It looks whether there is one, and has turned ids off where there was none.
    api.tokenizer = api.tokenizer_backend = "server"
    api.tokenized_requests = True
    return api


def log_likelihood(api, context, rest):
    from lm_eval.api.instance import Instance

    (logp, greedy), = api.loglikelihood([Instance("loglikelihood", {}, (context, rest), 0)])
    return logp, greedy


def check_lm_eval(model):
    import requests

    api = harness(model)
    context, rest = "Once upon", " a time there was"
    logp, greedy = log_likelihood(api, context, rest)
    whole = api.tok_encode(context + rest)
    first = len(api.tok_encode(context))
    rows = requests.post(ROOT + "/v1/grade", headers={"Accept": "application/json"},
                         json={"model": model, "sequences": [whole], "from": [first]}).json()["logp"]
    assert abs(logp - sum(rows)) < 1e-5 * max(1, len(rows)), (logp, sum(rows))
    return f"log-likelihood {logp:.4f}, greedy {greedy}, equals /v1/grade's sum"


CHECKS = [("curl", "", check_curl), ("openai", "openai", check_openai), ("openai chat", "openai", check_openai_chat),
          ("openai fields", "openai", check_fields), ("litellm", "litellm", check_litellm),
          ("litellm chat", "litellm", check_litellm_chat), ("TRL", "trl", check_trl),
          ("lm-evaluation-harness", "lm_eval", check_lm_eval)]


def main():
    import json
    import urllib.request

    with urllib.request.urlopen(API + "/models") as reply:
        models = {entry["id"]: entry for entry in json.load(reply)["data"]}
    model = sys.argv[2] if len(sys.argv) > 2 else next(iter(models))
    wrong = 0
    for name, package, check in CHECKS:
        there = importlib.util.find_spec(package) if package else shutil.which(name)
        if there is None:
            print(f"{name}: skipped, {package or name} is not installed")
        elif check in (check_openai_chat, check_fields, check_litellm_chat) and not models[model]["chat"]:
            print(f"{name}: skipped, {model} has no chat template")
        else:
            try:
                print(f"{name}: {check(model)}")
            except Exception as error:  # a client's own errors count as wrong answers
                wrong += 1
                print(f"{name}: WRONG: {type(error).__name__}: {error}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
