#include "alambic/model/cut_width.h"

#include <gtest/gtest.h>

#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden.h"

namespace alambic::cut_width_test {
namespace {

using Tensors = std::map<std::string, Tensor>;

struct Source {
  std::unique_ptr<Model> model;
  Tensors tensors;

  explicit Source(const std::string& name) : model(load_model(golden_folder(name), {})) {
    model->visit([&](const std::string& name, Tensor& tensor) { tensors[name] = tensor; });
  }
  std::unique_ptr<Model> cut(const Widths& widths) const {
    Tensors kept = tensors;
    Json config = model->config;
    cut_width(kept, config, widths, "the source");
    std::unique_ptr<Model> narrow = make_model(config, "cut");
    narrow->visit([&](const std::string& name, Tensor& tensor) {
      EXPECT_EQ(tensor.sizes(), kept.at(name).sizes()) << name;
      tensor = kept.at(name);
    });
    narrow->move_buffers(at::kCPU, at::kFloat);
    return narrow;
  }
};

const Packed input = pack({{1, 2, 3, 4, 5}, {6, 7, 8}});

Tensor logits(const Model& model) {
  return at::mm(model.hidden(Pass(input)), model.head().weight_VD.dense().t());
}

// Rows (or, of o_proj and down_proj, columns) that no other part of the model can see.
void silence(Tensors& tensors, const std::string& name, int64_t dimension, int64_t begin,
             int64_t count) {
  if (tensors.contains(name)) tensors[name].narrow(dimension, begin, count).zero_();
}

struct CutWidth : testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, CutWidth, testing::Values("llama", "llama_tied", "qwen2", "qwen3"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(CutWidth, ToTheSameSizesChangesNothing) {
  const Source source(GetParam());
  const auto same = source.cut({.hidden = 32, .inner = 48, .heads = 4});
  same->visit([&](const std::string& name, Tensor& tensor) {
    EXPECT_TRUE(at::equal(tensor, source.tensors.at(name))) << name;
  });
  EXPECT_TRUE(at::equal(logits(*same), logits(*source.model)));
}

// Bug: rows of one unit with columns of another, a head's keys without its queries, a bias left as
// it was, the smallest kept in place of the largest.
TEST_P(CutWidth, OfUnitsThatAreZeroChangesNothing) {
  Source source(GetParam());
  const int64_t head = source.tensors.at("model.layers.0.self_attn.k_proj.weight").size(0) / 2;
  for (const int64_t layer : {0, 1}) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    for (const int64_t unit : {3 + layer, int64_t{20}, int64_t{47}}) {
      for (const std::string end : {"weight", "bias"}) {
        silence(source.tensors, prefix + "mlp.gate_proj." + end, 0, unit, 1);
        silence(source.tensors, prefix + "mlp.up_proj." + end, 0, unit, 1);
      }
      silence(source.tensors, prefix + "mlp.down_proj.weight", 1, unit, 1);
    }
    for (const std::string end : {"weight", "bias"}) {  // the first group here, the second there
      const std::string attention = prefix + "self_attn.";
      silence(source.tensors, attention + "q_proj." + end, 0, layer * 2 * head, 2 * head);
      silence(source.tensors, attention + "k_proj." + end, 0, layer * head, head);
      silence(source.tensors, attention + "v_proj." + end, 0, layer * head, head);
    }
    silence(source.tensors, prefix + "self_attn.o_proj.weight", 1, layer * 2 * head, 2 * head);
  }
  const Tensor expected = logits(*source.model);
  EXPECT_LT(distance(logits(*source.cut({.inner = 45})), expected), 1e-5);
  EXPECT_LT(distance(logits(*source.cut({.heads = 2})), expected), 1e-5);
  EXPECT_LT(distance(logits(*source.cut({.inner = 45, .heads = 2})), expected), 1e-5);
}

// The same channels everywhere, or the residual stream adds up different things.
TEST_P(CutWidth, KeepsTheLargestChannelsInTheWholeModel) {
  Source source(GetParam());
  const Tensor kept = at::arange(0, 32, 2) + at::arange(0, 16) % 2;
  const Tensor small_H = at::full({32}, 0.01).index_fill(0, kept, 1);
  for (auto& [name, tensor] : source.tensors) {
    if (name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight")) {
      tensor.mul_(small_H.unsqueeze(1));
    } else if (tensor.size(-1) == 32 && !name.ends_with("bias")) {
      tensor.mul_(small_H);
    }
  }
  const auto narrow = source.cut({.hidden = 16});
  narrow->visit([&](const std::string& name, Tensor& tensor) {
    if (name.ends_with("q_proj.bias") || name.ends_with("_norm.weight")) return;
    const Tensor& whole = source.tensors.at(name);
    for (const int64_t d : {0, 1}) {
      if (d >= whole.dim() || whole.size(d) != 32 || tensor.size(d) != 16) continue;
      EXPECT_TRUE(at::equal(tensor, whole.index_select(d, kept))) << name;
    }
  });
  EXPECT_EQ(narrow->shape().width, 16);
  EXPECT_TRUE(logits(*narrow).isfinite().all().item<bool>());
}

TEST(CutWidthOf, WhatCannotBeCutIsRefused) {
  const auto refusal = [](const std::string& name, const Widths& widths) {
    try {
      Source(name).cut(widths);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      return error.what() + std::string(" / ") + error.hint();
    }
    return std::string("nothing");
  };
  const auto expect = [](const std::string& text, const std::string& words) {
    EXPECT_NE(text.find(words), std::string::npos) << text;
  };
  expect(refusal("llama", {.hidden = 64}), "--hidden-size 64: the source has 32");
  expect(refusal("llama", {.inner = 49}), "--intermediate-size 49");
  expect(refusal("llama", {.heads = 3}), "a multiple of 2");
  for (const char* other : {"gpt2", "phi3", "mixtral", "deepseek_v3"}) {
    expect(refusal(other, {.hidden = 16}), "there is no rule for ");
  }
}

}  // namespace
}  // namespace alambic::cut_width_test
