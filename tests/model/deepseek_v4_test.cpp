// What the tests of every family do not see of DeepSeek-V4: prompts of all lengths before the
// cache, the published spelling, the table of experts, refusals.
#include <gtest/gtest.h>

#include <cmath>

#include "alambic/base/json_object.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden_models.h"
#include "tests/model/golden_copy.h"

namespace alambic::deepseek_v4_test {
namespace {

namespace fs = std::filesystem;

Packed tokens(int64_t begin, int64_t end) {
  return {.tokens_N = at::arange(3 + begin, 3 + end), .offsets = {0, end - begin}};
}

// A prompt may end anywhere in a window of tokens; the next entry is then made of rows that the
// prompt left and of new ones. A slot is used again after a longer sequence.
TEST(DeepSeekV4, GoesOnFromAPromptOfAnyLength) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Model> model = load_model(golden_folder("deepseek_v4"), {});
  const Packed all = tokens(0, 20);
  const Tensor whole = model->hidden(Pass(all));
  KvCache cache(model->shape().cache, 2, 20, model->options());
  for (int64_t prompt = 12; prompt >= 1; --prompt) {
    cache.lengths[1] = 0;
    std::vector<Tensor> rows;
    for (int64_t begin = 0, end = prompt; end <= 20; begin = end++) {
      const Packed input = tokens(begin, end);
      Pass pass(input, cache, {1});
      rows.push_back(model->hidden(pass));
      pass.finish();
    }
    EXPECT_LT(distance(at::cat(rows), whole), 2e-5) << prompt;
  }
}

// All running sequences take a step in one pass. Prevents one that reads its neighbor's entries,
// the padding of a shorter one, or rows of its slot that nobody has written: the cache begins as
// not-a-number.
TEST(DeepSeekV4, StepsOfSequencesOfAllLengthsAreThoseOfEachAlone) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Model> model = load_model(golden_folder("deepseek_v4"), {});
  const std::vector<int64_t> prompts = {1, 12, 5};
  const auto cache_of = [&] {
    KvCache cache(model->shape().cache, 4, 20, model->options());
    for (KvCache::Layer& layer : cache.layers) {
      layer.keys.fill_(std::nan(""));
      for (Tensor& side : layer.sides) side.fill_(std::nan(""));
    }
    return cache;
  };
  const auto run = [&](KvCache& cache, const Packed& input, const std::vector<int64_t>& slots) {
    Pass pass(input, cache, slots);
    const Tensor hidden = model->hidden(pass);
    pass.finish();
    return hidden;
  };
  KvCache together = cache_of();
  const std::vector<int64_t> slots = {3, 0, 1};
  std::vector<std::vector<Tensor>> rows(3), alone(3);
  for (size_t s = 0; s < 3; ++s) {
    KvCache own = cache_of();
    run(together, tokens(0, prompts[s]), {slots[s]});
    run(own, tokens(0, prompts[s]), {2});
    for (int64_t step = 0; step < 8; ++step) {
      alone[s].push_back(run(own, tokens(prompts[s] + step, prompts[s] + step + 1), {2}));
    }
  }
  for (int64_t step = 0; step < 8; ++step) {
    std::vector<Tensor> next;
    for (const int64_t prompt : prompts)
      next.push_back(tokens(prompt + step, prompt + step + 1).tokens_N);
    const Tensor hidden =
        run(together, {.tokens_N = at::cat(next), .offsets = {0, 1, 2, 3}}, slots);
    for (int64_t s = 0; s < 3; ++s) rows[s].push_back(hidden.narrow(0, s, 1));
  }
  for (size_t s = 0; s < 3; ++s) {
    EXPECT_LT(distance(at::cat(rows[s]), at::cat(alone[s])), 5e-6) << s;
  }
}

struct Folder : GoldenCopy {
  Folder() : GoldenCopy("deepseek_v4") {}
};

std::string published(std::string name) {
  const auto replace = [&](const std::string& from, const std::string& to) {
    const size_t at = name.find(from);
    if (at != std::string::npos) name.replace(at, from.size(), to);
  };
  replace("model.embed_tokens.", "embed.");
  replace("model.hc_head.hc_", "hc_head_");
  replace("model.", "");
  replace(".attn.norm.", ".attn.kv_norm.");
  return name;
}

TEST(DeepSeekV4, ReadsThePublishedSpelling) {
  Folder folder;
  for (auto& [name, tensor] : folder.tensors) name = published(name);
  folder.tensors.emplace_back("mtp.0.e_proj.weight", at::ones({16, 16}));
  Json& config = folder.config;
  Json scaling = config["rope_parameters"]["compress"];
  scaling["type"] = scaling["rope_type"];
  for (const char* key : {"rope_type", "rope_theta", "partial_rotary_factor", "attention_factor"}) {
    scaling.erase(key);
  }
  config["rope_scaling"] = scaling;
  config["compress_ratios"] = {0, 4, 128, 0};  // one for the predictor
  config["compress_rate_csa"] = 2;
  config["compress_rate_hca"] = 4;
  config["num_hash_layers"] = 1;
  config["num_nextn_predict_layers"] = 1;
  for (const char* key : {"rope_parameters", "layer_types", "mlp_layer_types", "compress_rates",
                          "partial_rotary_factor"}) {
    config.erase(key);
  }
  const std::unique_ptr<Model> model = folder.load();
  EXPECT_TRUE(
      at::equal(model->hidden(Pass(tokens(0, 16))), folder.model->hidden(Pass(tokens(0, 16)))));
  EXPECT_EQ(model->config["num_nextn_predict_layers"], 0);  // what is saved has none
}

TEST(DeepSeekV4, RefusesATableThatNamesNoExpert) {
  for (const int64_t expert : {-1, 4}) {
    Folder folder;
    for (auto& [name, tensor] : folder.tensors) {
      if (name.ends_with("tid2eid")) tensor = at::full_like(tensor, expert);
    }
    try {
      folder.load();
      ADD_FAILURE() << expert;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input) << error.what();
      EXPECT_NE(std::string(error.what()).find("tid2eid"), std::string::npos) << error.what();
    }
  }
}

TEST(DeepSeekV4, RefusesWhatItDoesNotCompute) {
  const std::vector<std::pair<std::string, Json>> cases = {
      {"layer_types", {"full_attention", "sliding_attention", "sliding_attention"}},
      {"layer_types", {"sliding_attention"}},
      {"mlp_layer_types", {"dense", "moe", "moe"}},
      {"mlp_layer_types", {"moe"}},
      {"compress_rates", 4},
      {"compress_rates", {{"compressed_sparse_attention", 0}}},
      {"num_key_value_heads", 2},
      {"o_groups", 5},
      {"scoring_func", "softmax"},
      {"norm_topk_prob", false},
      {"n_shared_experts", 2},
      {"num_experts_per_tok", 5},
      {"swiglu_limit", 0},
      {"hidden_act", "gelu"},
      {"attention_bias", true},
      {"mlp_bias", true},
      {"index_head_dim", 3},  // less than turns
      {"hc_mult", 0},
      {"sliding_window", nullptr}};
  for (const auto& [key, value] : cases) {
    Json config = read_json_object(golden_folder("deepseek_v4") / "config.json");
    config[key] = value;
    try {
      make_model(config, "config.json");
      ADD_FAILURE() << key << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace alambic::deepseek_v4_test
