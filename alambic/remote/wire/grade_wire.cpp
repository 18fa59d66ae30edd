#include "alambic/remote/wire/grade_wire.h"

#include "alambic/base/error.h"
#include "alambic/remote/wire/reply_json.h"
#include "alambic/remote/wire/wires.h"

namespace alambic {

std::optional<Usage> GradeWire::usage(const std::string& body) const {
  return read_reply(body, [](simdjson::dom::element root) -> std::optional<Usage> {
    simdjson::dom::element usage;
    if (root["usage"].get(usage) != simdjson::SUCCESS) return {};
    const auto count = [&](const char* key) {
      int64_t value = 0;
      return usage[key].get(value) == simdjson::SUCCESS ? std::max<int64_t>(0, value) : 0;
    };
    return Usage{.input_tokens = count("prompt_tokens"),
                 .output_tokens = count("completion_tokens")};
  });
}

std::string protocol_name(Protocol protocol) {
  switch (protocol) {
    case Protocol::automatic:
      return "auto";
    case Protocol::vllm:
      return "vllm";
    case Protocol::llamacpp:
      return "llamacpp";
    case Protocol::sglang:
      return "sglang";
    case Protocol::echo:
      return "echo";
    case Protocol::alambic:
      return "alambic";
    case Protocol::chat:
      return "chat";
  }
  return "";
}

std::unique_ptr<GradeWire> make_grade_wire(Protocol protocol, const Tokenizer& tokenizer) {
  switch (protocol) {
    case Protocol::vllm:
      return vllm_wire();
    case Protocol::llamacpp:
      return llamacpp_wire(tokenizer);
    case Protocol::sglang:
      return sglang_wire();
    case Protocol::echo:
      return echo_wire();
    case Protocol::alambic:
      return alambic_wire(tokenizer);
    case Protocol::automatic:
    case Protocol::chat:
      break;
  }
  throw bug("{} gives no grades", protocol_name(protocol));
}

}  // namespace alambic
