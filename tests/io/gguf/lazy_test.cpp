// `check` and `info` of a GGUF file once read and permuted every query and key of it, gigabytes, to
// tell of shapes: opening one reads its header.
#include <fstream>

#include "alambic/io/model_folder.h"
#include "tests/io/gguf/gguf_bytes.h"
#include "tests/io/io_testing.h"

namespace alambic::lazy_test {
namespace {

using namespace gguf_bytes;

constexpr uint64_t width = 4096, layers = 4, matrix = width * width * sizeof(float);

std::string number(const std::string& key, uint32_t value) {
  return item("llama." + key, 4, raw(value));
}

// The header of a Llama in float32 whose matrices are all square.
std::string header_of_llama() {
  std::string tensors;
  uint64_t count = 0, offset = 0;
  const auto add = [&](const std::string& name, const std::vector<uint64_t>& sizes) {
    tensors += tensor(name, sizes, 0, offset);
    offset += (sizes.size() == 1 ? width : sizes[0] * sizes[1]) * sizeof(float);
    ++count;
  };
  add("token_embd.weight", {width, 8});
  add("output_norm.weight", {width});
  for (uint64_t i = 0; i < layers; ++i) {
    const std::string block = "blk." + std::to_string(i) + ".";
    for (const char* name :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
      add(block + name + ".weight", {width, width});
    }
    for (const char* name : {"attn_norm", "ffn_norm"}) add(block + name + ".weight", {width});
  }
  const std::string metadata =
      item("general.architecture", 8, text("llama")) + number("block_count", layers) +
      number("context_length", 64) + number("embedding_length", width) +
      number("feed_forward_length", width) + number("attention.head_count", 32) +
      item("llama.attention.layer_norm_rms_epsilon", 6, raw(1e-5F));
  return file_with(count, 7, metadata + tensors, 0);
}

uint64_t resident_bytes() {
  uint64_t size = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(LazyGguf, ReadsNothingButTheHeaderUntilBytesAreAskedFor) {
  const fs::path file = fresh_folder() / "sparse.gguf";
  const std::string header = header_of_llama();
  write_file(file, header);
  fs::resize_file(file, header.size() + (layers * 7 + 1) * matrix);  // a hole of 2 GB
  const uint64_t before = resident_bytes();
  const ModelFolder model = ModelFolder::open(file);
  uint64_t bytes = 0;
  for (const TensorView& tensor : model.tensors()) bytes += tensor.bytes.size();
  EXPECT_GT(bytes, layers * 7 * matrix);
  EXPECT_LT(resident_bytes() - before, matrix / 4);
  const TensorView* query = tensor_named(model.tensors(), "model.layers.3.self_attn.q_proj.weight");
  ASSERT_NE(query, nullptr);
  EXPECT_EQ(query->bytes.size(), matrix);
  EXPECT_EQ(query->bytes.span()[matrix - 1], std::byte{0});
  EXPECT_GT(resident_bytes() - before, matrix / 2);  // the measure does measure
  fs::remove(file);
}

}  // namespace
}  // namespace alambic::lazy_test
