#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "alambic/io/gguf/config.h"
#include "alambic/io/gguf/tokenizer.h"
#include "fuzz/fuzz.h"

namespace alambic {

namespace {

std::vector<std::byte> zeros(size_t count) { return std::vector<std::byte>(count); }

std::string file_of(const GgufMetadata& metadata) {
  const fs::path path =
      fs::temp_directory_path() / ("alambic_gguf_fuzz_" + std::to_string(::getpid()));
  write_gguf({path}, metadata,
             {{"token_embd.weight", Dtype::F32, {4, 8}, [] { return zeros(4 * 8 * 4); }},
              {"blk.0.attn_q.weight", Dtype::Q8_0, {1, 32}, [] { return zeros(34); }},
              {"output_norm.weight", Dtype::F16, {8}, [] { return zeros(16); }}});
  std::string bytes = read_file(path);
  fs::remove(path);
  return bytes;
}

GgufMetadata llama() {
  GgufMetadata metadata;
  metadata.add("general.architecture", std::string("llama"));
  for (const char* key : {"block_count", "embedding_length", "feed_forward_length",
                          "attention.head_count", "attention.head_count_kv", "context_length"}) {
    metadata.add(std::string("llama.") + key, uint32_t{8});
  }
  metadata.add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  return metadata;
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const GgufArray tokens = std::vector<std::string>{"<s>", "a", "b", "ab"};
  GgufMetadata merges = llama(), scores = llama();
  for (GgufMetadata* metadata : {&merges, &scores}) {
    metadata->add("tokenizer.ggml.tokens", tokens);
    metadata->add("tokenizer.ggml.token_type", GgufArray(std::vector<int32_t>{3, 1, 1, 1}));
    metadata->add("tokenizer.ggml.bos_token_id", uint32_t{0});
    metadata->add("tokenizer.chat_template", std::string("{{ messages }}"));
  }
  merges.add("tokenizer.ggml.model", std::string("gpt2"));
  merges.add("tokenizer.ggml.pre", std::string("llama-bpe"));
  merges.add("tokenizer.ggml.merges", GgufArray(std::vector<std::string>{"a b"}));
  scores.add("tokenizer.ggml.model", std::string("llama"));
  scores.add("tokenizer.ggml.scores", GgufArray(std::vector<float>{0, -1, -2, -0.5}));
  return {file_of(merges), file_of(scores)};
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  parse_or_refuse([&] {
    const GgufContents contents = parse_gguf(std::as_bytes(std::span(data, size)), "f");
    parse_or_refuse([&] { tokenizer_of_gguf(contents.metadata); });
    const std::string name = contents.metadata.text("general.architecture").value_or("llama");
    config_of_gguf(gguf_architecture(name, "f"), contents.metadata, contents.tensors);
  });
  return 0;
}
