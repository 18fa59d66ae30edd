// Completions that repeat their prompt with log-probabilities, as Fireworks has them.
#include <nlohmann/json.hpp>

#include "alambic/remote/wire/reply_json.h"
#include "alambic/remote/wire/wires.h"

namespace alambic {
namespace {

using simdjson::dom::element;

struct EchoWire : GradeWire {
  GradeAbilities abilities() const override { return {.most_k = 5}; }
  std::string route() const override { return "/v1/completions"; }

  // Prompts that do not fit would be cut in silence.
  std::string body(const std::string& model, std::span<const GradeRequest> requests,
                   int64_t k) const override {
    return nlohmann::ordered_json{
        {"model", model},    {"prompt", requests.front().tokens},
        {"max_tokens", 1},   {"temperature", 1},
        {"echo", true},      {"logprobs", true},
        {"top_logprobs", k}, {"context_length_exceeded_behavior", "error"}}
        .dump();
  }

  std::vector<TokenGrades> read(const std::string& body, std::span<const GradeRequest> requests,
                                int64_t k) const override {
    return read_reply(body, [&](element root) {
      const GradeRequest& request = requests.front();
      const simdjson::dom::array places = root["choices"].at(0)["logprobs"]["content"];
      if (places.size() < request.tokens.size()) {
        throw MalformedReply(fmt::format("grades of {} tokens for a prompt of {}", places.size(),
                                         request.tokens.size()));
      }
      TokenGrades grades{.k = k};
      size_t place = 0;
      for (const element entry : places) {
        if (place == request.tokens.size()) break;
        const int32_t token = request.tokens[place];
        if (token_id(entry["token_id"]) != token) {
          throw MalformedReply(
              fmt::format("token {} in the place of {}", token_id(entry["token_id"]), token));
        }
        if (static_cast<int64_t>(place++) < request.from) continue;
        std::vector<std::pair<int32_t, float>> candidates;
        if (k > 0) {
          for (const element one : entry["top_logprobs"].get_array()) {
            candidates.emplace_back(token_id(one["token_id"]), log_probability(one["logprob"]));
          }
        }
        grades.add_row(std::move(candidates), token, log_probability(entry["logprob"]));
      }
      return std::vector{std::move(grades)};
    });
  }
};

}  // namespace

std::unique_ptr<GradeWire> echo_wire() { return std::make_unique<EchoWire>(); }

}  // namespace alambic
