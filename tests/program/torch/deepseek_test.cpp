// The main job with DeepSeek-V3's architecture on both sides, from outside.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "tests/program/program.h"

namespace alambic::deepseek_test {
namespace {

using Json = nlohmann::json;

const std::string tokenizer =
    (fs::path(ALAMBIC_SOURCE_DIR) / "recipes/word_problems/tokenizer").string();
const std::string machine = " --seed 3 --device cpu --threads 1";

Json sizes(int64_t layers) {
  return {{"hidden_size", 32},           {"intermediate_size", 64},
          {"num_hidden_layers", layers}, {"num_attention_heads", 4},
          {"rms_norm_eps", 1e-6},        {"eos_token_id", 0},
          {"tie_word_embeddings", true}, {"max_position_embeddings", 64}};
}

Json deepseek_v3() {
  Json config = sizes(3);
  config.update({{"architectures", {"DeepseekV3ForCausalLM"}},
                 {"model_type", "deepseek_v3"},
                 {"moe_intermediate_size", 16},
                 {"first_k_dense_replace", 1},
                 {"n_routed_experts", 8},
                 {"num_experts_per_tok", 2},
                 {"n_shared_experts", 1},
                 {"n_group", 4},
                 {"topk_group", 2},
                 {"routed_scaling_factor", 2.5},
                 {"q_lora_rank", 24},
                 {"kv_lora_rank", 16},
                 {"qk_nope_head_dim", 8},
                 {"qk_rope_head_dim", 8},
                 {"v_head_dim", 8}});
  return config;
}

Json llama() {
  Json config = sizes(2);
  config.update({{"architectures", {"LlamaForCausalLM"}}, {"model_type", "llama"}});
  return config;
}

struct DeepSeekJobSlow : testing::Test {
  fs::path folder;

  void SetUp() override {
    std::string name = fs::temp_directory_path() / "alambic_XXXXXX";
    folder = ::mkdtemp(name.data());
    std::string learned, held_out;
    for (int a = 0; a < 10; ++a) {
      for (int b = 0; b < 10; ++b) {
        const Json row = {
            {"prompt", std::to_string(a) + " + " + std::to_string(b) + " ="},
            {"completion", " " + std::to_string(a + b) + " #### " + std::to_string(a + b)}};
        ((a + 3 * b) % 7 == 0 ? held_out : learned) += row.dump() + "\n";
      }
    }
    write_file(folder / "learned.jsonl", learned);
    write_file(folder / "held_out.jsonl", held_out);
    write_file(folder / "v3.json", deepseek_v3().dump());
    write_file(folder / "llama.json", llama().dump());
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string at(const std::string& name) const { return (folder / name).string(); }
  Json line(const std::string& run, bool first) const {
    const std::string text = read_file(folder / run / "metrics.jsonl");
    return Json::parse(first ? text.substr(0, text.find('\n'))
                             : text.substr(text.rfind('\n', text.size() - 2) + 1));
  }
  void succeed(const std::string& arguments) const {
    const Outcome outcome = alambic(arguments + machine);
    ASSERT_EQ(outcome.code, 0) << arguments << "\n" << outcome.text;
  }
  void train_teacher() const {
    ASSERT_EQ(alambic("init --model-config " + at("v3.json") + " --tokenizer " + tokenizer +
                      " --seed 1 --out " + at("random"))
                  .code,
              0);
    succeed("train --model " + at("random") + " --data " + at("learned.jsonl") + " --out " +
            at("sft") + " --batch-size 16 --max-steps 300 --learning-rate 1e-2 --warmup-steps 10");
    EXPECT_LT(line("sft", false)["loss"], 0.1 * line("sft", true)["loss"].get<double>());
  }
  // Share of the held-out reverse KL after the first step that is left after the last.
  double share_left(const std::string& student, const std::string& run) const {
    succeed("distill --student " + at(student) + " --teacher " + at("sft/model") + " --data " +
            at("learned.jsonl") + " --valid-data " + at("held_out.jsonl") + " --out " + at(run) +
            " --batch-size 16 --max-completion-length 8 --max-steps 150 --valid-every 1"
            " --learning-rate 1e-2");
    const std::string key = "valid_reverse_kl";
    return line(run, false)[key].get<double>() / line(run, true)[key].get<double>();
  }
};

TEST_F(DeepSeekJobSlow, TeachesALlamaAndItsOwnKind) {
  train_teacher();
  ASSERT_EQ(alambic("init --model-config " + at("llama.json") + " --tokenizer " + tokenizer +
                    " --seed 2 --out " + at("llama"))
                .code,
            0);
  EXPECT_LT(share_left("llama", "to_llama"), 0.5);
  // The first layer, which is dense, and the last.
  ASSERT_EQ(alambic("init --from " + at("sft/model") + " --layers 2 --out " + at("cut")).code, 0);
  EXPECT_LT(share_left("cut", "to_cut"), 0.1);
  for (const char* run : {"to_llama", "to_cut"}) {
    const Outcome completion =
        alambic("generate --model " + at(run) +
                "/model --prompt '3 + 4 =' --temperature 0 2>/dev/null" + machine);
    EXPECT_EQ(completion.code, 0) << completion.text;
  }
}

}  // namespace
}  // namespace alambic::deepseek_test
