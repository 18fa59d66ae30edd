#include "alambic/base/json_object.h"
#include "fuzz/fuzz.h"

namespace alambic {

std::vector<std::string> fuzz_seeds() {
  return {R"({"model_type": "llama", "hidden_size": 4096, "rope_theta": 1e4, "tie": false})",
          R"({"a": {"b": [1, -2.5e-3, "\ud83d\ude00é", null, [[{}]]]}, "": true})"};
}

}  // namespace alambic

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace alambic;
  const std::string_view text = text_of(data, size);
  parse_or_refuse([&] { parse_json_object<nlohmann::json>(text, "f").dump(); });
  parse_or_refuse([&] { parse_json_object<nlohmann::ordered_json>(text, "f").dump(); });
  return 0;
}
