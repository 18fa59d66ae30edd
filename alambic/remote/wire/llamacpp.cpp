// llama.cpp's server, which grades given tokens although it has no route for it: a grammar forces
// our tokens one by one, and each place still tells the raw probabilities of its K candidates.
#include <nlohmann/json.hpp>

#include "alambic/base/utf8.h"
#include "alambic/remote/wire/reply_json.h"
#include "alambic/remote/wire/wires.h"

namespace alambic {
namespace {

using simdjson::dom::element;

struct LlamacppWire : GradeWire {
  const Tokenizer& tokenizer;
  int32_t whole = 0;  // some token with a rule

  explicit LlamacppWire(const Tokenizer& of) : tokenizer(of) {
    while (whole + 1 < tokenizer.size() && !has_rule(whole)) ++whole;
  }

  std::string route() const override { return "/completion"; }

  // A rule for a token that ends the text or is no whole text by itself is refused by the server.
  bool has_rule(int32_t token) const {
    const auto bytes = tokenizer.bytes_of(token);
    return bytes && !bytes->empty() && bytes->find('\0') == bytes->npos && is_valid_utf8(*bytes) &&
           !tokenizer.is_special(token);
  }

  // A part goes on to the next token without a rule, whose place comes for nothing at its end: it
  // is the one after the last rule.
  std::vector<GradeRequest> parts(const GradeRequest& request) const override {
    std::vector<GradeRequest> parts;
    int64_t from = request.from;
    const auto size = std::ssize(request.tokens);
    for (int64_t place = from; place < size; ++place) {
      if (place + 1 < size && has_rule(request.tokens[static_cast<size_t>(place)])) continue;
      parts.push_back(
          {.tokens = {request.tokens.begin(), request.tokens.begin() + place + 1}, .from = from});
      from = place + 1;
    }
    return parts;
  }

  std::string body(const std::string& model, std::span<const GradeRequest> requests,
                   int64_t k) const override {
    const GradeRequest& request = requests.front();
    const auto prompt = std::span(request.tokens).first(static_cast<size_t>(request.from));
    nlohmann::ordered_json body = {{"prompt", std::vector<int32_t>(prompt.begin(), prompt.end())},
                                   {"n_predict", request.rows()},
                                   {"n_probs", std::max<int64_t>(k, 1)},
                                   {"temperature", 0},
                                   {"cache_prompt", true},
                                   {"return_tokens", true},
                                   {"stream", false}};
    if (!model.empty()) body["model"] = model;
    std::string rules;
    for (size_t place = static_cast<size_t>(request.from); place < request.tokens.size(); ++place) {
      if (has_rule(request.tokens[place])) rules += fmt::format(" <[{}]>", request.tokens[place]);
    }
    // Left alone the server may write half a character, whose place it does not tell.
    if (rules.empty()) rules = fmt::format(" <[{}]>", whole);
    body["grammar"] = "root ::=" + rules;
    return body.dump();
  }

  std::vector<TokenGrades> read(const std::string& body, std::span<const GradeRequest> requests,
                                int64_t k) const override {
    return read_reply(body, [&](element root) {
      const GradeRequest& request = requests.front();
      TokenGrades grades{.k = k};
      const simdjson::dom::array rows = root["completion_probabilities"];
      if (std::ssize(rows) < request.rows()) {
        throw MalformedReply(fmt::format("{} places for {} tokens", rows.size(), request.rows()));
      }
      auto place = static_cast<size_t>(request.from);
      for (const element row : rows) {
        if (place == request.tokens.size()) break;
        read_row(row, request.tokens[place++], grades);
      }
      return std::vector{std::move(grades)};
    });
  }

  std::vector<SpelledToken> spelled(const std::string& body) const override {
    return read_reply(body, [](element root) {
      std::vector<SpelledToken> tokens;
      for (const element row : root["completion_probabilities"].get_array()) {
        for (const element one : row["top_logprobs"].get_array()) {
          SpelledToken token{.id = token_id(one["id"]), .exact = true};
          for (const element byte : one["bytes"].get_array()) {
            token.text += static_cast<char>(static_cast<unsigned char>(byte.get_int64().value()));
          }
          tokens.push_back(std::move(token));
        }
      }
      return tokens;
    });
  }

  std::optional<Usage> usage(const std::string& body) const override {
    return read_reply(body, [](element root) -> std::optional<Usage> {
      int64_t evaluated = 0, predicted = 0;
      if (root["tokens_evaluated"].get(evaluated) != simdjson::SUCCESS) return {};
      if (root["tokens_predicted"].get(predicted) != simdjson::SUCCESS) return {};
      return Usage{.input_tokens = evaluated, .output_tokens = predicted};
    });
  }

  void read_row(element row, int32_t token, TokenGrades& grades) const {
    std::vector<std::pair<int32_t, float>> candidates;
    for (const element one : row["top_logprobs"].get_array()) {
      candidates.emplace_back(token_id(one["id"]), log_probability(one["logprob"]));
    }
    const int32_t written = token_id(row["id"]);
    if (written != token && has_rule(token)) {
      throw MalformedReply(fmt::format("token {} was written where {} was forced", written, token));
    }
    std::optional<float> own;
    if (written == token) own = log_probability(row["logprob"]);
    grades.add_row(std::move(candidates), token, own);
  }
};

}  // namespace

std::unique_ptr<GradeWire> llamacpp_wire(const Tokenizer& tokenizer) {
  return std::make_unique<LlamacppWire>(tokenizer);
}

}  // namespace alambic
