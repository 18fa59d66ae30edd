// Attention of packed sequences on a device: FlashAttention where it takes them, and tensor
// operations where it does not, both against the definition in float64.
#include <ATen/ops/_flash_attention_forward.h>
#include <gtest/gtest.h>

#include <cmath>

#include "alambic/kernels/attention_parts.h"
#include "alambic/kernels/device_attention.h"
#include "tests/device/simulated_device.h"
#include "tests/device/test_device.h"
#include "tests/golden.h"

namespace alambic::attention_test {
namespace {

using kernels::AttentionOptions;
using kernels::PackedOffsets;

struct Offsets {
  std::vector<int64_t> queries, keys;
};

struct Case {
  const char* name;
  Offsets offsets;
  int64_t heads, kv_heads, d;
  int64_t window = 0;
  double softcap = 0;
  bool sinks = false;
  at::ScalarType type = at::kBFloat16;
  bool flash = true;  ///< FlashAttention takes it
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const Offsets kPlain = {{0, 1, 6, 6, 23}, {0, 1, 6, 6, 23}};
// Prompts that are computed once: the second sequence asks its last two positions, the third none.
const Offsets kShared = {{0, 9, 11, 11, 14}, {0, 9, 20, 25, 40}};

const std::vector<Case> kCases = {
    {"plain", kPlain, 4, 4, 16},
    {"grouped queries", kPlain, 6, 2, 32},
    {"float16", kPlain, 4, 2, 64, 0, 0, false, at::kHalf},
    {"a window", kPlain, 4, 2, 16, 5},
    {"a window of one", kPlain, 2, 2, 8, 1},
    {"a window beyond every sequence", kPlain, 2, 1, 8, 40},
    {"sinks", kPlain, 4, 2, 16, 0, 0, true},
    {"sinks and a window", kPlain, 4, 2, 16, 4, 0, true},
    {"fewer queries than keys", kShared, 4, 2, 16},
    {"fewer queries, a window", kShared, 4, 2, 16, 3},
    {"fewer queries, sinks and a window", kShared, 4, 2, 16, 6, 0, true},
    {"a width that is padded", kPlain, 4, 2, 20},
    {"MLA's width", kPlain, 2, 2, 192},
    {"the widest", kPlain, 2, 1, 256},
    {"wider", kPlain, 2, 1, 264, 0, 0, false, at::kBFloat16, false},
    {"a soft-cap", kPlain, 4, 2, 16, 0, 2, false, at::kBFloat16, false},
    {"float32", kShared, 4, 2, 16, 4, 0, true, at::kFloat, false},
};

/// q, k, v and sinks, rounded to the case's type; with the weights of the sum that is
/// differentiated.
std::vector<Tensor> draws(const Case& c) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const auto draw = [&](at::IntArrayRef sizes) {
    return at::randn(sizes, generator).to(c.type).to(at::kDouble);
  };
  const int64_t M = c.offsets.queries.back(), N = c.offsets.keys.back();
  return {draw({M, c.heads, c.d}), draw({N, c.kv_heads, c.d}), draw({N, c.kv_heads, c.d}),
          draw({c.heads}), draw({M, c.heads, c.d})};
}

AttentionOptions options_of(const Case& c, const Tensor& sinks_H) {
  return {.scale = 1 / std::sqrt(static_cast<double>(c.d)),
          .window = c.window,
          .softcap = c.softcap,
          .sinks_H = c.sinks ? sinks_H : Tensor()};
}

Tensor by_definition(const Case& c, const std::vector<Tensor>& in) {
  const auto& [queries, keys] = c.offsets;
  std::vector<Tensor> outputs;
  for (size_t s = 0; s + 1 < keys.size(); ++s) {
    const auto part = [&](const Tensor& x, const std::vector<int64_t>& offsets) {
      return x.narrow(0, offsets[s], offsets[s + 1] - offsets[s]).transpose(0, 1);
    };
    outputs.push_back(kernels::attention_by_definition(part(in[0], queries), part(in[1], keys),
                                                       part(in[2], keys), options_of(c, in[3]))
                          .transpose(0, 1));
  }
  return at::cat(outputs);
}

/// The result, and the gradients of q, k, v and the sinks, in float64 on the CPU.
template <class Attention>
std::vector<Tensor> learned(const Case& c, at::Device device, at::ScalarType type,
                            const Attention& attention) {
  std::vector<Tensor> in = draws(c);
  for (Tensor& x : in) x = x.to(device, type);
  for (size_t i = 0; i < 4; ++i) in[i].requires_grad_(i < 3 || c.sinks);
  const Tensor out = attention(c, in);
  EXPECT_EQ(out.scalar_type(), type);
  out.backward(in[4]);
  std::vector<Tensor> found = {out.detach()};
  for (size_t i = 0; i < (c.sinks ? 4 : 3); ++i) found.push_back(in[i].grad());
  for (Tensor& x : found) x = x.cpu().to(at::kDouble);
  return found;
}

Tensor packed(const Case& c, const std::vector<Tensor>& in) {
  return kernels::packed_attention(
      in[0], in[1], in[2], PackedOffsets(c.offsets.queries, c.offsets.keys), options_of(c, in[3]));
}

struct DeviceAttention : testing::TestWithParam<Case> {
  void SetUp() override {
    if (!kernels::on_device::has_flash_attention(test_device())) {
      GTEST_SKIP() << "FlashAttention needs compute capability 8.0";
    }
  }
};

// Prevents a window or a diagonal that is off by one or counted from the first query, a sink
// without its gradient, a head that reads another's keys, and two ways that differ.
TEST_P(DeviceAttention, IsTheDefinition) {
  const Case& c = GetParam();
  const std::vector<Tensor> expected = learned(c, at::kCPU, at::kDouble, by_definition);
  const std::vector<Tensor> narrow = learned(c, test_device(), c.type, packed);
  const std::vector<Tensor> wide = learned(c, test_device(), at::kFloat, packed);
  for (size_t i = 0; i < expected.size(); ++i) {
    const char* what = std::vector{"result", "dq", "dk", "dv", "dsinks"}[i];
    // Of what sees itself alone the scores have no gradient.
    const double largest = std::max(expected[i].abs().max().item<double>(), 0.1);
    EXPECT_LT(distance(wide[i], expected[i]) / largest, is_simulated() ? 1e-6 : 1e-4) << what;
    EXPECT_LT(distance(narrow[i], expected[i]) / largest, is_simulated() ? 6e-3 : 1e-2) << what;
  }
}

TEST_P(DeviceAttention, IsTakenWhereTheOperatorCan) {
  const Case& c = GetParam();
  std::vector<Tensor> in = draws(c);
  for (Tensor& x : in) x = x.to(test_device(), c.type);
  EXPECT_EQ(kernels::on_device::takes_packed_attention(in[0], in[1], in[2], options_of(c, in[3])),
            c.flash);
}

INSTANTIATE_TEST_SUITE_P(Cases, DeviceAttention, testing::ValuesIn(kCases), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

struct PackedOnADevice : DeviceAttention {};

// Prevents a launch a sequence, and offsets that every layer uploads again.
TEST_F(PackedOnADevice, TakesOneLaunchALayerAndOneUploadAPass) {
  if (!is_simulated()) GTEST_SKIP() << "counts are the simulated device's";
  const Case c = {"", kPlain, 4, 2, 16};
  std::vector<Tensor> in = draws(c);
  for (Tensor& x : in) x = x.to(test_device(), c.type);
  for (size_t i = 0; i < 3; ++i) in[i].requires_grad_();
  const PackedOffsets offsets(c.offsets.queries);
  const auto layer = [&] {
    return kernels::packed_attention(in[0], in[1], in[2], offsets, options_of(c, {}));
  };
  simulated::take_counts();
  const Tensor first = layer(), second = layer();
  const simulated::Counts forward = simulated::take_counts();
  EXPECT_EQ(forward.operators, 2);
  EXPECT_EQ(forward.uploads, 1);
  EXPECT_EQ(forward.reads, 0);
  first.backward(in[4]);
  const simulated::Counts backward = simulated::take_counts();
  EXPECT_EQ(backward.operators, 1);
  EXPECT_EQ(backward.uploads + backward.reads, 0);
}

// Prevents an address between the sixteenth bytes, of which a card dies, and a view that is read
// as if it were dense.
TEST_F(PackedOnADevice, ReadsViews) {
  const Case c = {"", kPlain, 2, 2, 16};
  const std::vector<Tensor> in = draws(c);
  const Tensor whole = at::cat({in[4], in[0], in[1], in[2]}, 2).to(test_device(), c.type);
  const auto view = [&](int64_t begin, int64_t step) {
    return whole.slice(2, begin, begin + step * c.d, step);
  };
  for (const auto& [begin, step] : {std::pair{16, 1}, {12, 1}, {0, 2}}) {
    const Tensor x = view(begin, step);
    const Tensor dense = x.contiguous();
    EXPECT_TRUE(
        at::equal(packed(c, {x, x, x, {}}).cpu(), packed(c, {dense, dense, dense, {}}).cpu()))
        << begin;
  }
}

// Prevents a simulated operator that takes what a card's refuses: nothing would show our mistake.
TEST_F(PackedOnADevice, TheOperatorRefusesWhatACardDoes) {
  if (!is_simulated()) GTEST_SKIP() << "a misaligned address ends a card's process";
  const auto options = at::TensorOptions().device(test_device());
  const auto rows = [&](int64_t d, at::ScalarType type = at::kBFloat16) {
    return at::zeros({3, 1, d}, options.dtype(type));
  };
  const Tensor places = at::tensor({0, 3}, at::kInt).to(test_device());
  const auto refuses = [&](const Tensor& q, const Tensor& k, const Tensor& offsets, int64_t most) {
    try {
      at::_flash_attention_forward(q, k, k, offsets, offsets, most, 3, 0, true, false, 1.0);
    } catch (const c10::Error&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refuses(rows(16), rows(16), places, 3));
  EXPECT_TRUE(refuses(rows(16, at::kFloat), rows(16, at::kFloat), places, 3));
  EXPECT_TRUE(refuses(rows(16), rows(16, at::kHalf), places, 3));
  EXPECT_TRUE(refuses(rows(264), rows(264), places, 3));
  EXPECT_TRUE(refuses(rows(12), rows(12), places, 3));
  EXPECT_TRUE(refuses(rows(16), rows(16), places.to(at::kLong), 3));
  EXPECT_TRUE(refuses(rows(32).slice(2, 0, 32, 2), rows(16), places, 3));
  EXPECT_TRUE(refuses(rows(32).slice(2, 4, 20), rows(16), places, 3));
  EXPECT_TRUE(refuses(rows(16), rows(16), places, 2));
  EXPECT_TRUE(refuses(at::zeros({3, 3, 16}, options.dtype(at::kBFloat16)),
                      at::zeros({3, 2, 16}, options.dtype(at::kBFloat16)), places, 3));
}

}  // namespace
}  // namespace alambic::attention_test
