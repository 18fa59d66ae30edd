// Products of FP8 weights in FP8, beside a reference in double.
#include "alambic/base/error.h"
#include "alambic/kernels/device_fp8.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/kernels/weight_linear.h"
#include "alambic/model/load.h"
#include "tests/device/command_fixture.h"
#include "tests/device/models_on_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"
#include "tests/model/fp8_of.h"
#include "tests/random_packed.h"

namespace alambic::fp8_products_test {
namespace {

using namespace kernels::on_device;

struct Fp8Products : DeviceCommands {
  void SetUp() override {
    if (is_simulated() && !simulated::has_kernels()) GTEST_SKIP() << "it has no kernels";
    const std::string fault = fp8_products_fault(test_device());
    if (!fault.empty()) GTEST_SKIP() << fault;
  }
};

// Tiles of 128 × 128, whose scales differ. Those of the second 128 columns make their numbers next
// to nothing, so that the outliers of rows_of() there show in what they do to their neighbors
// alone.
PackedMatrix matrix_of(int64_t rows, int64_t columns) {
  std::mt19937 random(1);
  PackedMatrix matrix = random_tiles(rows, columns, random, at::kBFloat16);
  Tiles tiles{.rows = 128, .columns = 128, .across = (columns + 127) / 128};
  for (int64_t i = 0; i < (rows + 127) / 128 * tiles.across; ++i) {
    const bool second = i % tiles.across == 1;
    tiles.scales.push_back(second ? 1e-12F : 1e-3F * static_cast<float>(1 + i * 7 % 10));
  }
  matrix.tiles = std::make_shared<const Tiles>(std::move(tiles));
  return matrix;
}

Tensor rows_of(int64_t rows, int64_t columns) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(uint64_t{2});
  Tensor x_ND = at::randn({rows, columns}, generator);
  // Groups that one scale for a row, or for all of them, would round to nothing.
  x_ND.narrow(1, 128, 128).mul_(1e6);
  x_ND.select(0, 3).mul_(1e-4);
  x_ND.select(0, 5).zero_();
  return x_ND.to(at::kBFloat16);
}

// What device_fp8.h says of each number of x, times the weights, and the rounding of the result.
Tensor bound_of(const Tensor& x_ND, const Tensor& weight_ED, const Tensor& y_NE) {
  const Tensor size_NGt = x_ND.abs().unflatten(1, {-1, 128});
  const Tensor off = (size_NGt / 16).max(size_NGt.amax(-1, true) / (448 * 1024));
  return at::mm(off.flatten(1), weight_ED.abs().t()) + y_NE.abs() / 256 + 1e-6;
}

// Scales that lie otherwise than the card reads them, of one group for another's, or of a part's
// first tile for the whole matrix's; numbers beyond 448; a row of zeros divided by its largest.
TEST_F(Fp8Products, AreWithinTheRoundingOfTheirRows) {
  const PackedMatrix here = matrix_of(384, 1024);
  const Tensor x_ND = rows_of(21, 1024), wide_ND = x_ND.to(at::kDouble);
  const PackedMatrix there = with_fp8_products(packed_on(test_device(), here));
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>(0, 384), {128, 256}}) {
    const Tensor weight_ED = decoded_whole(here).narrow(0, first, count).to(at::kDouble);
    const Tensor y_NE = at::mm(wide_ND, weight_ED.t());
    const Weight weight(there.part(first, count));
    const Tensor found = kernels::linear(x_ND.to(test_device()), weight, {}).cpu().to(at::kDouble);
    const Tensor off = (found - y_NE).abs();
    EXPECT_TRUE((off <= bound_of(wide_ND, weight_ED, y_NE)).all().item<bool>()) << first;
    EXPECT_EQ(found.select(0, 5).abs().max().item<double>(), 0);
    // It is FP8: a decoded weight is off by the result's rounding alone.
    EXPECT_GT((off.norm() / y_NE.norm()).item<double>(), 0.005);
    const Tensor bias_E = at::arange(count, at::kFloat).to(at::kBFloat16).to(test_device());
    const Tensor with_bias = kernels::linear(x_ND.to(test_device()), weight, bias_E);
    EXPECT_TRUE(at::equal(with_bias.cpu(), found.to(at::kBFloat16) + bias_E.cpu()));
  }
}

// Weights whose tiles a card would read wrongly, rows that the kernel multiplies exactly, and what
// did not ask for it.
TEST_F(Fp8Products, LeaveTheOthersAsTheyAre) {
  const auto same = [](const PackedMatrix& here, int64_t rows, at::ScalarType type) {
    const Tensor x_ND = rows_of(rows, here.columns).to(type).to(test_device());
    const PackedMatrix there = packed_on(test_device(), here);
    return at::equal(kernels::linear(x_ND, Weight(there), {}).cpu(),
                     kernels::linear(x_ND, Weight(with_fp8_products(there)), {}).cpu());
  };
  EXPECT_FALSE(same(matrix_of(128, 512), 9, at::kBFloat16));
  EXPECT_TRUE(same(matrix_of(128, 512), 8, at::kBFloat16)) << "few rows";
  EXPECT_TRUE(same(matrix_of(128, 512), 9, at::kFloat)) << "float32";
  EXPECT_TRUE(same(matrix_of(128, 384), 9, at::kBFloat16)) << "columns";
  EXPECT_TRUE(same(matrix_of(144, 512), 9, at::kBFloat16)) << "rows";
  EXPECT_TRUE(same(random_packed(Dtype::F8_E4M3, 128, 512, 1, at::kBFloat16), 9, at::kBFloat16))
      << "tiles";
  EXPECT_TRUE(same(random_packed(Dtype::Q8_0, 128, 512, 1, at::kBFloat16), 9, at::kBFloat16));
  EXPECT_NE(fp8_products_fault(at::kCPU), "");
}

// The option that reaches no weight, or that changes the grades by more than its rounding; one that
// a device, a dtype or a model without such weights takes in silence.
TEST_F(Fp8Products, OfATeacherAreAskedFor) {
  write_file(at("wide.json"), Json{{"architectures", {"LlamaForCausalLM"}},
                                   {"model_type", "llama"},
                                   {"hidden_size", 512},
                                   {"intermediate_size", 512},
                                   {"num_hidden_layers", 1},
                                   {"num_attention_heads", 4},
                                   {"num_key_value_heads", 1},
                                   {"max_position_embeddings", 64},
                                   {"tie_word_embeddings", true},
                                   {"eos_token_id", 0}}
                                  .dump());
  const fs::path tokenizer = fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer";
  succeed("init --model-config " + at("wide.json") + " --tokenizer " + tokenizer.string() +
          " --seed 4 --out " + at("wide"));
  write_fp8(at("wide"), at("fp8"), 128, 128);
  for (const auto& file : fs::directory_iterator(at("wide"))) {
    const std::string name = file.path().filename();
    if (name.starts_with("tokenizer")) fs::copy_file(file, folder / "fp8" / name);
  }
  const std::string fp8 = "--teacher-activation-scheme dynamic --teacher-dtype bfloat16";
  const auto losses = [&](const std::string& out, const std::string& more) {
    testing::internal::CaptureStderr();
    succeed(distill(out, "--max-steps 1 --teacher " + at("fp8") + " " + more, test_device_name()));
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("7 matrices are multiplied in FP8") == said.npos, more.empty()) << said;
    return metrics(out).front()["loss"].get<double>();
  };
  const double decoded = losses("decoded", ""), found = losses("fp8_run", fp8);
  EXPECT_NE(found, decoded);
  EXPECT_NEAR(found, decoded, 0.02 * decoded);
  const auto refused = [&](const std::string& more, const std::string& device) {
    const Outcome outcome = run_here(distill("refused", more, device));
    EXPECT_EQ(outcome.code, 2) << outcome.text;
    return outcome.text;
  };
  const std::string teacher = "--teacher " + at("fp8") + " ";
  EXPECT_NE(refused(teacher + fp8, "cpu").find("device cpu does not multiply FP8"),
            std::string::npos);
  EXPECT_NE(refused(teacher + "--teacher-activation-scheme dynamic", test_device_name())
                .find("the teachers are Float"),
            std::string::npos);
  EXPECT_NE(
      refused("--teacher self " + fp8, test_device_name()).find("no effect with --teacher self"),
      std::string::npos);
  EXPECT_NE(refused(fp8, test_device_name()).find("no weight is multiplied in FP8"),
            std::string::npos);
}

}  // namespace
}  // namespace alambic::fp8_products_test
