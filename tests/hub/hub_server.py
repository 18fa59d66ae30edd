"""A server that speaks the Hugging Face hub's routes, for tests/hub/hub_test.cpp.

Prints its port, answers until GET /stop or for two minutes. GET /log: the requests so far, as a JSON
list of [path, Range, Authorization]. The models, all org/NAME:

small      config, tokenizer, model.safetensors in "LFS": a redirect to another host; `dev` is
           another commit; also a folder, a README and a pickle that nobody needs
listed     the same, and the listing says the digests, as huggingface.co's does
llama      the golden one
sharded    two shards, and an index
binary     pytorch_model.bin alone
breaking   the weights' transfer breaks off half way, whatever one asks, twice
noranges   the same, and Range is not understood
wrong      the weights' bytes are not those of the digest
undigested no ETag
longer     more bytes than the listing says
gguf       only GGUF files beside config.json
gated      401
busy       503
leaving    lists ../outside.safetensors
shardless  the index names a shard that is not listed
other      answers with a page
"""
import collections
import hashlib
import http.server
import json
import os
import pathlib
import threading
import urllib.parse

MAIN, DEV = "a" * 40, "b" * 40
WEIGHTS = bytes(range(256)) * 400  # 100 KB
INDEX = {"weight_map": {"a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors"}}
SMALL = {"config.json": b'{"model_type": "llama"}', "tokenizer.json": b"{}",
         "model.safetensors": WEIGHTS}
MODELS = {
    "small": SMALL | {"README.md": b"x", "onnx/model.safetensors": b"x", "training_args.bin": b"x"},
    "sharded": {"config.json": b"{}", "model.safetensors.index.json": json.dumps(INDEX).encode(),
                "model-00001-of-00002.safetensors": b"one", "model-00002-of-00002.safetensors": b"two",
                "consolidated.safetensors": b"x"},
    "binary": {"config.json": b"{}", "pytorch_model.bin": b"PK", "flax_model.msgpack": b"x"},
    "leaving": SMALL | {"../outside.safetensors": b"x"},
    "shardless": {"config.json": b"{}", "model.safetensors.index.json":
                  json.dumps({"weight_map": {"a": "../../../outside.safetensors"}}).encode()},
    "gguf": {"config.json": b"{}", "model-q4_k.gguf": b"x"},
}
# Data sets, org/NAME too.
DATASETS = {
    "qa": {"README.md": b"x", "data/train-00000-of-00002.jsonl": b'{"prompt": "a"}\n',
           "data/train-00001-of-00002.jsonl": b'{"prompt": "b"}\n',
           "data/test-00000-of-00001.jsonl": b'{"prompt": "t"}\n'},
    "several": {"main/train.jsonl": b'{"prompt": "m"}\n', "main/test.jsonl": b"{}",
                "other/train.jsonl": b'{"prompt": "o"}\n'},
    "images": {"README.md": b"x", "a.png": b"x"},
    "leaving": {"../train.jsonl": b"x"},
}
GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "llama"
MODELS["llama"] = {name: (GOLDEN / name).read_bytes()
                   for name in ("config.json", "model.safetensors")}
for name in ("breaking", "noranges", "wrong", "undigested", "longer", "listed"):
    MODELS[name] = SMALL

log = []
times = collections.Counter()


def is_large(name):
    return name.endswith((".safetensors", ".bin"))


def git_digest(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def listed(name, file, content):
    """A file as the listing has it."""
    entry = {"rfilename": file, "size": len(content) - (name == "longer" and is_large(file))}
    if name == "listed":
        entry["blobId"] = git_digest(content)
        if is_large(file):
            entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return entry


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def listing(self, name, revision, kept=MODELS):
        if name == "other":
            return self.reply(200, b"<html>")
        if name in ("gated", "busy"):
            return self.reply(401 if name == "gated" else 503)
        commit = {"main": MAIN, "dev": DEV, "refs/pr/1": MAIN, MAIN: MAIN}.get(revision)
        if name not in kept or commit is None:
            return self.reply(404)
        files = [listed(name, file, content) for file, content in kept[name].items()]
        return self.reply(200, json.dumps({"sha": commit, "siblings": files}).encode())

    def file(self, name, commit, file, kept=MODELS):
        content = kept.get(name, {}).get(file)
        commit = {"main": MAIN, "dev": DEV}.get(commit, commit)  # huggingface_hub asks by revision
        if content is None or commit not in (MAIN, DEV):
            return self.reply(404)
        commit_header = [("X-Repo-Commit", commit)]
        if is_large(file):
            digest = hashlib.sha256(content).hexdigest()
            place = f"http://localhost:{self.server.server_port}/cdn/{name}/{file}?a=%2F"
            tags = [] if name == "undigested" else [("X-Linked-Etag", f'"{digest}"')]
            tags += commit_header + [("X-Linked-Size", str(len(content)))]
            return self.reply(302, b"", tags + [("Location", place)])
        return self.reply(200, content, commit_header + [("ETag", f'"{git_digest(content)}"')])

    def large(self, name, file):
        content = MODELS[name][file]
        if name == "wrong":
            content = content[:-1] + b"?"
        begin = 0
        if "Range" in self.headers and name != "noranges":
            begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if begin >= len(content):
            return self.reply(416)
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = len(content)
        times[name] += 1
        if name in ("breaking", "noranges") and times[name] <= 2:
            end = begin + (end - begin) // 2
        self.wfile.write(content[begin:end])
        return None

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        if path == "/stop":
            os._exit(0)
        if path == "/log":
            return self.reply(200, json.dumps(log).encode())
        log.append([self.path, self.headers.get("Range", ""), self.headers.get("Authorization", "")])
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) == 6 and parts[4] == "revision":
            return self.listing(parts[3], urllib.parse.unquote(parts[5]))
        if parts[:2] == ["api", "datasets"] and len(parts) == 6 and parts[4] == "revision":
            return self.listing(parts[3], urllib.parse.unquote(parts[5]), DATASETS)
        if parts[0] == "datasets" and len(parts) >= 6 and parts[3] == "resolve":
            return self.file(parts[2], parts[4], "/".join(parts[5:]), DATASETS)
        if len(parts) >= 5 and parts[2] == "resolve":
            return self.file(parts[1], parts[3], "/".join(parts[4:]))
        if parts[0] == "cdn":
            return self.large(parts[1], "/".join(parts[2:]))
        return self.reply(404)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client has hung up


threading.Timer(120, os._exit, (1,)).start()
server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
