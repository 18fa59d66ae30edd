"""tools/gpu-check without a GPU: what it makes of recorded outputs."""
import fnmatch
import importlib.machinery
import importlib.util
import json
import pathlib
import re
import sys
import tempfile
import types
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.dont_write_bytecode = True
import gpu_figures  # noqa: E402
import gpu_peers  # noqa: E402

loader = importlib.machinery.SourceFileLoader("gpu_check", str(ROOT / "tools/gpu-check"))
gpu_check = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_check", loader))
loader.exec_module(gpu_check)

# Sizes of `device_test --speed 8b`, with times that are met exactly at these rates.
FOUND = {"parameters": 2_787_000_000, "head": 151936 * 4096, "layers": 8, "heads_width": 4096,
         "keys_width": 1024, "vocabulary": 151936, "element": 2, "tokens": 16384, "length": 4096,
         "decoded": 128, "attention_seconds": 0.002, "attention_learn_seconds": 0.008,
         "grade_seconds": 0.1, "learn_seconds": 0.3, "loss_seconds": 0.1, "update_seconds": 0.02,
         "decode_seconds_1": 0.001, "decode_seconds_64": 0.002,
         "enqueue_seconds_1": 0.004, "enqueue_seconds_64": 0.005,
         "learn_peak_bytes": 60e9, "loss_peak_bytes": 2e9,
         "full_rows": 4096, "full_seconds": 0.05, "full_peak_bytes": 15e9,
         "packed": {"Q4_K": {"bytes": 2_787_000_000 * 0.5625, "decode_seconds_1": 0.001,
                             "decode_seconds_64": 0.004, "grade_seconds": 0.1}},
         "fp8_grade_seconds": 0.06, "fp8_beside_seconds": 0.1,
         "families": {"deepseek_v3": {
             "parameters": 2_000_000_000, "experts": 64, "chosen": 6, "head": 300_000_000,
             "expert_parameters": 1_600_000_000, "entry": 4608, "decoded": 128, "decode_seconds_1": 0.001,
             "decode_seconds_64": 0.002}}}


class Figures(unittest.TestCase):
    def test_bounds_are_those_of_hand(self):
        found = gpu_figures.bounds(FOUND, 989e12, 4.8e12)
        body = 2_787_000_000 - 2 * 151936 * 4096  # 1.542e9
        # Two operations a weight and token; and 8 layers, 4096 wide, 2048 earlier tokens, 4 each.
        forward = 16384 * (2 * body + 4 * 8 * 4096 * 2048)
        self.assertAlmostEqual(found["grade"][1], forward / 989e12)
        # 4 sequences of 4096: half of their pairs, 4096 wide, two products forward, five backward.
        pairs = 4 * 4096 * 4096 / 2
        self.assertAlmostEqual(found["attention"][1], 2 * 2 * pairs * 4096 / 989e12)
        self.assertAlmostEqual(found["attention, with backward"][1],
                               7 * 2 * pairs * 4096 / 989e12)
        self.assertAlmostEqual(found["loss"][1], 8 * 16384 * 151936 * 4096 / 989e12)
        self.assertAlmostEqual(found["learn"][1], 3 * found["grade"][1] + found["loss"][1])
        self.assertAlmostEqual(found["update"][1], 30 * 2_787_000_000 / 4.8e12)
        # 32,768 bytes of keys and values a token, of 195 tokens on average.
        weights = 2 * (body + 151936 * 4096)
        self.assertAlmostEqual(found["decode at batch 1"][1], (weights + 195 * 32768) / 4.8e12)
        self.assertAlmostEqual(found["decode at batch 64"][1],
                               (weights + 64 * 195 * 32768) / 4.8e12)
        # 144 bytes for 256 numbers.
        self.assertAlmostEqual(found["decode Q4_K at batch 1"][1],
                               (weights / 2 * 0.5625 + 195 * 32768) / 4.8e12)
        self.assertEqual(found["grade Q4_K"], found["grade"])
        # 6 of 64 experts for one token; for 64 all but those that none of them chooses.
        self.assertAlmostEqual(found["decode deepseek_v3 at batch 1"][1],
                               (2 * (1e8 + 1.6e9 * 6 / 64) + 195 * 4608) / 4.8e12)
        self.assertAlmostEqual(found["decode deepseek_v3 at batch 64"][1],
                               (2 * (1e8 + 1.6e9 * (1 - (58 / 64) ** 64)) + 64 * 195 * 4608) / 4.8e12)

    def test_aims_are_the_issues(self):
        self.assertAlmostEqual(989 / gpu_figures.AIMS["grade"][1], 0.75 * 790)
        self.assertAlmostEqual(989 / gpu_figures.AIMS["learn"][1], 0.45 * 989)
        self.assertAlmostEqual(gpu_figures.AIMS["update"][1] * 30 * 8.19e9 / 4.8e12, 0.070)

    def test_a_row_for_each_figure(self):
        for card in ("H200", None):
            lines = gpu_figures.table(FOUND, card)
            self.assertEqual(len(lines), 2 + len(gpu_figures.AIMS) + 3 + 2 + 2 + 2 + 2 + 1)
            self.assertEqual({line.count("|") for line in lines}, {6})

    def test_the_loss_is_held_against_as_many_rows(self):
        time, memory = gpu_figures.beside_full_logits(FOUND)
        self.assertIn("50.00 ms | ours 25.00 ms | 0.50 |", time)  # a quarter of 100 ms
        self.assertIn("15 GB | ours, of all rows, 2 GB | 0.133 |", memory)

    def test_recorded_passes_stand_beside_enqueued_ones(self):
        one, many = gpu_figures.beside_enqueued(FOUND)
        self.assertIn("4.00 ms, 250 tokens/s | recorded 1.00 ms, 1000 tokens/s | 0.25 |", one)
        self.assertIn("5.00 ms, 12800 tokens/s | recorded 2.00 ms, 32000 tokens/s | 0.40 |", many)
        self.assertEqual(gpu_figures.beside_enqueued({}), [])  # a device that records none

    def test_fp8_products_stand_beside_bfloat16(self):
        line, = gpu_figures.beside_bfloat16(FOUND)
        self.assertIn("100.00 ms | with FP8 products 60.00 ms | 0.60 |", line)
        line, = gpu_figures.beside_bfloat16({"fp8_fault": "only for | 9.0"})
        self.assertIn("skipped: only for / 9.0 |", line)

    def test_peers_in_time_and_memory(self):
        records = [
            {"name": "loss, JSD 0.5", "peer": "Liger", "unit": "s", "ours": 0.01, "peers": 0.04,
             "ratio": 4, "ours_megabytes": 100, "peer_megabytes": 800},
            {"name": "decode, bf16, batch 1", "peer": "vLLM 1", "unit": "tokens/s", "ours": 300,
             "peers": 200, "ratio": 1.5, "share": 0.62},
            {"name": "distill, a step", "peer": "trl 1", "unit": "s", "ours": 1, "failed": "a | b"}]
        lines = gpu_figures.beside_peers(records)
        self.assertEqual({line.count("|") for line in lines}, {6})
        self.assertEqual(lines[2:], [
            "| loss, JSD 0.5, Liger | 40.00 ms | 10.00 ms | 0.25 |  |",
            "| loss, JSD 0.5, Liger: memory | 800 MiB | 100 MiB | 0.125 | 0.25 |",
            "| decode, bf16, batch 1, vLLM 1 | 200 tokens/s | 300 tokens/s, 62% of the bound | 0.67 |  |",
            "| distill, a step, trl 1 | failed: a / b | 1000.00 ms | | |"])
        self.assertEqual(gpu_figures.aim_beside("distill, a step", "trl 1", gpu_figures.PEER_TIMES),
                         "0.20")
        self.assertEqual(gpu_figures.beside_peers([]), [])

    def test_cards_by_their_names(self):
        for name, kind in (("NVIDIA H200", "H200"), ("NVIDIA H100 80GB HBM3", "H100"),
                           ("NVIDIA B200", "B200"), ("NVIDIA GeForce RTX 4090", None)):
            self.assertEqual(gpu_figures.card_of(name), kind)


class Verdicts(unittest.TestCase):
    def verdict(self, text, code=0):
        check = gpu_check.Check("FAIL" if code else "pass")
        return gpu_check.told_by_googletest(check, text)

    def test_counts_what_ran(self):
        found = self.verdict("[==========] 45 tests from 16 test suites ran. (3038 ms total)\n"
                             "[  PASSED  ] 45 tests.\n")
        self.assertEqual((found.state, found.text), ("pass", "45 tests"))
        found = self.verdict("[==========] 1 test from 1 test suite ran. (59 ms total)\n")
        self.assertEqual((found.state, found.text), ("pass", "1 tests"))

    def test_a_name_that_matches_nothing_is_no_pass(self):
        found = self.verdict("[==========] 0 tests from 0 test suites ran. (0 ms total)\n"
                             "[  PASSED  ] 0 tests.\n")
        self.assertEqual(found.state, "FAIL")
        self.assertEqual(self.verdict("").state, "FAIL")

    def test_failed_tests_are_named(self):
        found = self.verdict("[  FAILED  ] Golden/FamiliesOnADevice.Learn/llama, where GetParam()\n"
                             "[==========] 2 tests from 1 test suite ran. (3 ms total)\n", code=1)
        self.assertEqual(found.state, "FAIL")
        self.assertIn("Golden/FamiliesOnADevice.Learn/llama", found.text)

    def test_skipped_tests_are_no_pass(self):
        found = self.verdict(
            "tests/device/budget_test.cpp:82: Skipped\ncounts are the simulated device's\n\n"
            "[==========] 5 tests from 2 test suites ran. (0 ms total)\n[  PASSED  ] 0 tests.\n"
            "[  SKIPPED ] 5 tests.\n")
        self.assertEqual((found.state, found.text),
                         ("skipped", "counts are the simulated device's"))


class Peers(unittest.TestCase):
    def verdict(self, code, records):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "records.json"
            if records is not None:
                file.write_text(json.dumps(records))
            check = gpu_check.Check("FAIL" if code else "pass", "ended" if code else "")
            return gpu_peers.verdict(check, code, file)[0]

    def test_whose_failure_it_is(self):
        good = {"name": "decode", "peer": "vLLM 1", "equal": "2 tokens"}
        bad = {"name": "decode", "peer": "vLLM 1", "failed": "no memory"}
        apart = {"name": "loss", "peer": "Liger", "equal": "LOSS DIFFERS BY 0.5 of itself"}
        for code, records, state, text in (
                (0, [good], "pass", "vLLM 1"),
                (gpu_peers.PEER_FAILED, [good, bad], "failed-peer", "vLLM 1: no memory"),
                (1, [bad], "FAIL", "ended"),  # ours, after it
                (1, None, "FAIL", "ended"),
                (-11, [good], "failed-peer", "ended"),
                (-1, [good], "FAIL", "ended"),  # too late: who knows
                (0, [], "FAIL", "no figures"),
                (0, [good, apart], "FAIL", "loss, Liger: LOSS DIFFERS BY 0.5 of itself")):
            found = self.verdict(code, records)
            self.assertEqual((found.state, found.text), (state, text), (code, records))

    def test_the_interpreter_that_has_it(self):
        peer = gpu_peers.Peer("decode.py", "alambic_peer", "alambic-peer", [], [], [])
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "alambic_peer.py").write_text("")
            with_it = f"env PYTHONPATH={folder} {sys.executable}"
            self.assertEqual(gpu_peers.python_with(peer, [sys.executable, with_it], False),
                             (with_it.split(), None))
            words, missing = gpu_peers.python_with(peer, ["/no/python", sys.executable], False)
        self.assertIsNone(words)
        self.assertIn("no alambic_peer: /no/python: ", missing)
        self.assertIn(f"{sys.executable} -m pip install alambic-peer", missing)

    def test_a_card_gets_its_sizes_and_bounds(self):
        device = types.SimpleNamespace(build=ROOT, program="cuda", card=True)
        peer = gpu_peers.PEERS["decode beside vLLM"]
        words = gpu_peers.command(peer, ["python"], device, (4.8e12, 989e12), 16, "out")
        self.assertEqual(words[:2], ["python", "bench/decode.py"])
        for first, second in (("--shape", "8B/8"), ("--device", "cuda"), ("--ceiling", 4.8e12)):
            self.assertEqual(words[words.index(first) + 1], second)
        device.card = False
        self.assertIn("tiny", gpu_peers.command(peer, ["python"], device, (1, 1), 2, "out"))


class Suites(unittest.TestCase):
    # Prevents tests of the device that a card never runs: no filter named those of FP8 products.
    def test_each_of_the_device_is_some_checks(self):
        written = set()
        for file in (ROOT / "tests/device").glob("*_test.cpp"):
            written.update(re.findall(r"^TEST(?:_[FP])?\((\w+),", file.read_text(), re.MULTILINE))
        chosen = []
        with unittest.mock.patch.object(gpu_check, "gtest", lambda *words: chosen.append(words[-1])):
            for part in (gpu_check.families, gpu_check.commands):
                for name, step in part(None):
                    if not name.startswith("alambic: "):
                        step(name)
        patterns = ":".join(chosen).split(":")
        left = {suite for suite in written if not suite.startswith("DISABLED_")
                and not any(fnmatch.fnmatch(f"Golden/{suite}.Case/llama", pattern)
                            or fnmatch.fnmatch(f"{suite}.Case", pattern) for pattern in patterns)}
        self.assertEqual(left, {"Operators"})  # "operators have CUDA kernels" asks the same
        self.assertGreater(len(written), 20)


class Kept(unittest.TestCase):
    def test_what_passed_is_not_run_again(self):
        with tempfile.TemporaryDirectory() as folder:
            gpu_check.RESULTS = pathlib.Path(folder)
            gpu_check.LOGS = gpu_check.RESULTS / "logs"
            device = types.SimpleNamespace(name="simulated", title="a device", build=ROOT)
            runs = []

            def part(_):
                for name, state in (("good", "pass"), ("bad", "FAIL"), ("left", "skipped")):
                    yield name, lambda name, state=state: runs.append(name) or gpu_check.Check(
                        state, "text", 1.0, ["| row |"])
                yield "broken", lambda name: runs.append(name) or json.loads("{")

            gpu_check.print = lambda *words, **_: None
            for _ in range(2):
                results = gpu_check.Results(device, fresh=False)
                done = dict(gpu_check.run_part(part, device, results))
            self.assertEqual([runs.count(name) for name in ("good", "bad", "left", "broken")],
                             [1, 2, 2, 2])
            self.assertEqual(done["good"].figures, ["| row |"])
            self.assertEqual(done["broken"].state, "FAIL")


if __name__ == "__main__":
    unittest.main()
