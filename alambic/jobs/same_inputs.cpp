#include "alambic/jobs/same_inputs.h"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>

#include "alambic/nn/layer_of_name.h"

namespace alambic {
namespace {

constexpr const char* what_rows = "rows of the data";

// Of token ids, in their order.
class Hash {
 public:
  void add(std::span<const int32_t> tokens) {
    const std::string_view bytes(reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes());
    value_ = 31 * value_ + std::hash<std::string_view>()(bytes);
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

uint64_t sum_of(const Weight& weight) {
  if (!weight.is_packed()) {
    return static_cast<uint64_t>(sum_of_bits(weight.dense().detach().contiguous()));
  }
  const PackedMatrix& packed = weight.packed();
  if (packed.on_device) return static_cast<uint64_t>(sum_of_bits(packed.on_device->bytes_RB));
  uint64_t sum = 0;
  for (const std::byte byte : packed.bytes) sum += static_cast<uint64_t>(byte);
  return sum;
}

}  // namespace

void require_same_weights(const World& world, Model& model, const LayerWeights* layers,
                          const std::string& name) {
  if (world.alone()) return;
  std::map<int64_t, uint64_t> sums;
  model.visit([&](const std::string& tensor, const Weight& weight) {
    if (weight.is_meta()) return;
    const bool comes =
        layers != nullptr && !weight.is_packed() && layers->find(weight.dense()).first != nullptr;
    if (!comes) sums[layer_of_name(tensor)] += sum_of(weight);
  });
  std::string text;
  for (const auto& [layer, sum] : sums) {
    text += layer < 0 ? fmt::format("outside of the layers: {:x}\n", sum)
                      : fmt::format("layer {}: {:x}\n", layer + 1, sum);
  }
  if (layers != nullptr) {
    for (const auto& group : layers->groups()) {
      // "layer 3", without the model's name, which may be a folder of this machine.
      const std::string what = group->what().substr(0, group->what().find(" of "));
      text += fmt::format("{}: {:x}\n", what, static_cast<uint64_t>(group->sum()));
    }
  }
  world.require_equal(text, "weights of " + name);
}

void require_same_rows(const World& world, const TokenizedRows& rows) {
  if (world.alone()) return;
  Hash hash;
  for (int64_t i = 0; i < rows.size(); ++i) {
    const TokenizedExample row = rows[i];
    hash.add(row.prompt);
    if (row.completion) hash.add(*row.completion);
  }
  world.require_equal(fmt::format("{} rows, {:x}", rows.size(), hash.value()), what_rows);
}

void require_same_text(const World& world, const TokenSpool& tokens) {
  if (world.alone()) return;
  constexpr int64_t at_once = 1 << 16;
  Hash hash;
  for (int64_t begin = 0; begin < tokens.size(); begin += at_once) {
    hash.add(tokens.read(begin, std::min(at_once, tokens.size() - begin)));
  }
  world.require_equal(fmt::format("{} tokens, {:x}", tokens.size(), hash.value()), what_rows);
}

}  // namespace alambic
