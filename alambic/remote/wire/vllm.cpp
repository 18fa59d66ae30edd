// vLLM's completions with prompt_logprobs, which TRL's server and ours serve too.
#include <charconv>
#include <nlohmann/json.hpp>

#include "alambic/remote/wire/reply_json.h"
#include "alambic/remote/wire/wires.h"

namespace alambic {
namespace {

using simdjson::dom::element;

int32_t id_of(std::string_view key) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size() || id < 0) {
    throw MalformedReply(fmt::format("'{}' in place of a token's id", key.substr(0, 40)));
  }
  return id;
}

// The token itself and the K most likely ones: K or K + 1 of them, in any order.
void add_row(element row, int32_t chosen, TokenGrades& grades) {
  std::vector<std::pair<int32_t, float>> candidates;
  bool named = false;
  for (const auto field : row.get_object()) {
    candidates.emplace_back(id_of(field.key), log_probability(field.value["logprob"]));
    named |= candidates.back().first == chosen;
  }
  if (!named) throw MalformedReply(fmt::format("token {} has no grade of its own", chosen));
  grades.add_row(std::move(candidates), chosen);
}

struct VllmWire : GradeWire {
  std::string route() const override { return "/v1/completions"; }

  std::string body(const std::string& model, std::span<const GradeRequest> requests,
                   int64_t k) const override {
    nlohmann::ordered_json prompts = nlohmann::ordered_json::array();
    for (const GradeRequest& request : requests) prompts.push_back(request.tokens);
    return nlohmann::ordered_json{{"model", model},       {"prompt", prompts},
                                  {"max_tokens", 1},      {"temperature", 1},
                                  {"prompt_logprobs", k}, {"add_special_tokens", false}}
        .dump();
  }

  std::vector<TokenGrades> read(const std::string& body, std::span<const GradeRequest> requests,
                                int64_t k) const override {
    return read_reply(body, [&](element root) {
      const simdjson::dom::array choices = root["choices"];
      if (choices.size() != requests.size()) {
        throw MalformedReply(
            fmt::format("{} choices for {} prompts", choices.size(), requests.size()));
      }
      std::vector<TokenGrades> all(requests.size(), TokenGrades{.k = k});
      std::vector<bool> seen(requests.size());
      for (const element choice : choices) {
        const auto index = static_cast<size_t>(token_id(choice["index"]));
        if (index >= seen.size() || seen[index]) throw MalformedReply("a choice's index twice");
        seen[index] = true;
        read_choice(choice, requests[index], all[index]);
      }
      return all;
    });
  }

  std::vector<SpelledToken> spelled(const std::string& body) const override {
    return read_reply(body, [](element root) {
      std::vector<SpelledToken> tokens;
      for (const element choice : root["choices"].get_array()) {
        for (const element row : choice["prompt_logprobs"].get_array()) {
          if (row.is_null()) continue;
          for (const auto field : row.get_object()) {
            std::string_view text;
            if (field.value["decoded_token"].get(text) != simdjson::SUCCESS) continue;
            tokens.push_back({.id = id_of(field.key), .text = std::string(text)});
          }
        }
      }
      return tokens;
    });
  }

  static void read_choice(element choice, const GradeRequest& request, TokenGrades& grades) {
    const simdjson::dom::array rows = choice["prompt_logprobs"];
    if (rows.size() != request.tokens.size()) {
      throw MalformedReply(fmt::format("grades of {} tokens for a prompt of {}", rows.size(),
                                       request.tokens.size()));
    }
    int64_t place = 0;
    for (const element row : rows) {
      if (place >= request.from) {
        add_row(row, request.tokens[static_cast<size_t>(place)], grades);
      }
      ++place;
    }
  }
};

}  // namespace

std::unique_ptr<GradeWire> vllm_wire() { return std::make_unique<VllmWire>(); }

}  // namespace alambic
