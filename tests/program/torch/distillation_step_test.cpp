// One step of `distill` against TRL on the same weights and rows (tests/golden/README.md).
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::distillation_step_test {
namespace {

using Json = nlohmann::json;

struct DistillationStep : testing::TestWithParam<std::string> {
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden";
  const Json expected = Json::parse(read_file(golden / "distillation_step/expected.json"));
  fs::path folder;

  DistillationStep() {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  ~DistillationStep() override { fs::remove_all(folder); }

  /// The golden model with the tokenizer of these rows.
  std::string model(const std::string& name) const {
    const fs::path made = folder / name;
    fs::create_directories(made);
    for (const char* file : {"config.json", "model.safetensors"}) {
      fs::copy(golden / name / file, made / file, fs::copy_options::skip_existing);
    }
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
      fs::copy(golden / "distillation_step" / file, made / file, fs::copy_options::skip_existing);
    }
    return made.string();
  }

  /// The figures of a step with learning rate 0.
  Json step(const std::string& student, const std::string& options) const {
    const Outcome run = alambic(
        "distill " +
        with_options("--student " + model(student) + " --teacher " + model(expected["teacher"]) +
                         " --data " + (golden / "distillation_step/rows.jsonl").string() +
                         " --out " + (folder / "run").string() +
                         " --overwrite --lmbda 0 --learning-rate 0 --max-steps 1 --batch-size 4" +
                         " --device cpu --threads 1",
                     options));
    EXPECT_EQ(run.code, 0) << run.text;
    return Json::parse(read_file(folder / "run/metrics.jsonl"));
  }
};

// Bug: the end of text not graded, a prompt graded, positions off by one, micro-batches that each
// divide by their own tokens (TRL, verl), a tied head or a soft-cap left out of the gradient.
TEST_P(DistillationStep, HasTrlsLossAndGradientNorm) {
  const Json objectives = expected["students"][GetParam()];
  ASSERT_EQ(objectives.size(), 3u);
  for (const auto& [objective, figures] : objectives.items()) {
    for (const int micro_batch : {0, 2}) {
      const std::string options =
          "--objective " + objective + " --micro-batch-size " + std::to_string(micro_batch);
      const Json found = step(GetParam(), options);
      EXPECT_EQ(found["tokens"], figures["tokens"]);
      for (const char* name : {"loss", "grad_norm"}) {
        EXPECT_NEAR(found[name].get<double>(), figures[name].get<double>(), 1e-4)
            << options << " " << name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, DistillationStep, testing::Values("llama_tied", "gemma2"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace alambic::distillation_step_test
