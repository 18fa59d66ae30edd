"""The program itself on a device, as a person calls it: one run of each command (tools/gpu-check)."""
import json
import math
import subprocess

CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64,
          "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
          "num_key_value_heads": 2, "max_position_embeddings": 128, "initializer_range": 0.1,
          "tie_word_embeddings": True, "eos_token_id": 0}


class Wrong(Exception):
    """A command that did not do what it should."""


class Program:
    """The program with models and data of its own in `folder`, on `device`."""

    def __init__(self, program, folder, tokenizer, device, log):
        self.program, self.folder, self.device, self.log = program, folder, device, log
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(CONFIG))
        rows = [{"prompt": f"{i} + 1 =", "completion": f" #### {i + 1}", "answer": str(i + 1)}
                for i in range(8)]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        for name, seed in (("teacher", 4), ("student", 5)):
            self.call("init", "--model-config", folder / "config.json", "--tokenizer", tokenizer,
                      "--seed", seed, "--out", folder / name, "--overwrite")

    def call(self, *words, code=0):
        """Standard output and errors of a command that must end with `code`."""
        command = [str(self.program), *map(str, words)]
        found = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, timeout=300,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, errors = (text.decode(errors="replace") for text in (found.stdout, found.stderr))
        self.log.write(f"$ {' '.join(command)}\n{out}{errors}[{found.returncode}]\n")
        self.log.flush()
        if found.returncode != code:
            lines = (errors or out).strip().splitlines() or ["no message"]
            told = next((line for line in lines if line.startswith("error")), lines[-1])
            raise Wrong(f"{words[0]} ended with {found.returncode}, expected {code}: {told}")
        return out, errors

    def learned(self, command, name, *more):
        """A run of distill or train whose figures are finite."""
        self.call(command, "--data", "rows.jsonl", "--batch-size", 4, "--max-steps", 3,
                  "--learning-rate", "1e-3", "--max-completion-length", 12, "--device", self.device,
                  "--out", name, "--overwrite", *more)
        lines = (self.folder / name / "metrics.jsonl").read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if "loss" in row]
        if not rows or not all(math.isfinite(row["loss"]) for row in rows):
            raise Wrong(f"{command}: no finite loss in {name}/metrics.jsonl")
        if self.device.startswith("cuda") and not any("device_peak_memory_bytes" in row
                                                      for row in rows):
            raise Wrong(f"{command} --device {self.device} used no memory of the device")

    def distill(self, name, *more, teacher="teacher"):
        self.learned("distill", name, "--student", "student", "--teacher", teacher, *more)


def check(program):
    out, _ = program.call("check", "--student", "student", "--teacher", "teacher", "--data",
                          "rows.jsonl", "--device", program.device)
    if not out.strip():
        raise Wrong("check printed nothing")


def from_a_gguf_teacher(program):
    program.call("convert", "--model", "teacher", "--type", "q8_0", "--out", "teacher.gguf",
                 "--overwrite")
    program.distill("gguf", teacher="teacher.gguf")


def generate(program):
    out, _ = program.call("generate", "--model", "teacher", "--prompt", "3 + 1 =", "--json",
                          "--max-new-tokens", 9, "--num-generations", 5, "--device",
                          program.device)
    rows = [json.loads(line) for line in out.splitlines()]
    if len(rows) != 5 or not all("completion" in row for row in rows):
        raise Wrong(f"generate wrote {len(rows)} completions, expected 5")


def evaluate(program):
    out, _ = program.call("eval", "--model", "student", "--teacher", "teacher", "--data",
                          "rows.jsonl", "--max-new-tokens", 5, "--json", "--device",
                          program.device)
    if not any(isinstance(value, float) for value in json.loads(out).values()):
        raise Wrong("eval has no figures")


def automatic(program):
    _, errors = program.call("generate", "--model", "teacher", "--prompt", "3 + 1 =",
                             "--max-new-tokens", 2)
    if program.device.startswith("cuda") and "using the CPU" in errors:
        raise Wrong(f"--device auto did not take the GPU: {errors.strip()}")


def refused(program):
    _, errors = program.call("generate", "--model", "teacher", "--prompt", "3", "--device",
                             "cuda:99", code=3)
    reasons = ("there is no GPU 99",) if program.device.startswith("cuda") else (
        "there is no GPU 99", "there is no NVIDIA driver", "cannot be loaded")
    if not any(reason in errors for reason in reasons):
        raise Wrong(f"--device cuda:99 is refused for another reason: {errors.strip()}")


# Name and what it does; in this order, each by itself.
STEPS = {
    "check": check,
    "distill": lambda program: program.distill("own"),
    "distill in micro-batches": lambda program: program.distill(
        "micro", "--micro-batch-size", 2, "--activation-checkpointing", "--objective", "jsd"),
    "distill an adapter": lambda program: program.distill(
        "adapter", "--lora-rank", 4, "--lora-dropout", 0.1),
    "distill by rewards": lambda program: program.distill(
        "rewards", "--objective", "0.5*grpo+0.5*reverse_kl", "--num-generations", 2, "--reward",
        "regex:[0-4]"),
    "distill from a cached teacher": lambda program: program.distill(
        "cached", "--lmbda", 0, "--teacher-cache", "cache"),
    "distill from a GGUF teacher": from_a_gguf_teacher,
    "train": lambda program: program.learned("train", "trained", "--model", "student"),
    "generate": generate,
    "eval": evaluate,
    "--device auto": automatic,
    "--device cuda:99": refused,
}
