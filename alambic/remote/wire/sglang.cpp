// SGLang's /generate with input log-probabilities.
#include <nlohmann/json.hpp>

#include "alambic/remote/wire/reply_json.h"
#include "alambic/remote/wire/wires.h"

namespace alambic {
namespace {

using simdjson::dom::element;

struct SglangWire : GradeWire {
  std::string route() const override { return "/generate"; }

  // The entry at logprob_start_len is always null: its logits belong to the token before. Asked
  // from there and not from 0, which would defeat the cache of prefixes.
  std::string body(const std::string& /*model*/, std::span<const GradeRequest> requests,
                   int64_t k) const override {
    const GradeRequest& request = requests.front();
    return nlohmann::ordered_json{{"input_ids", request.tokens},
                                  {"sampling_params", {{"max_new_tokens", 1}, {"temperature", 1}}},
                                  {"return_logprob", true},
                                  {"logprob_start_len", request.from - 1},
                                  {"top_logprobs_num", k}}
        .dump();
  }

  std::vector<TokenGrades> read(const std::string& body, std::span<const GradeRequest> requests,
                                int64_t k) const override {
    return read_reply(body, [&](element root) {
      const GradeRequest& request = requests.front();
      const element info = root["meta_info"];
      const simdjson::dom::array own = info["input_token_logprobs"];
      if (std::ssize(own) != request.rows() + 1) {
        throw MalformedReply(
            fmt::format("grades of {} tokens, asked for {}", own.size(), request.rows() + 1));
      }
      TokenGrades grades{.k = k};
      for (int64_t row = 0; row < request.rows(); ++row) {
        const auto at = static_cast<size_t>(row + 1);
        const int32_t token = request.tokens[static_cast<size_t>(request.from + row)];
        const element entry = own.at(at);
        if (token_id(entry.at(1)) != token) {
          throw MalformedReply(
              fmt::format("a grade of token {} in the place of {}", token_id(entry.at(1)), token));
        }
        std::vector<std::pair<int32_t, float>> candidates;
        if (k > 0) {
          for (const element one : info["input_top_logprobs"].at(at).get_array()) {
            candidates.emplace_back(token_id(one.at(1)), log_probability(one.at(0)));
          }
        }
        grades.add_row(std::move(candidates), token, log_probability(entry.at(0)));
      }
      return std::vector{std::move(grades)};
    });
  }

  std::optional<Usage> usage(const std::string& body) const override {
    return read_reply(body, [](element root) -> std::optional<Usage> {
      int64_t input = 0, output = 0;
      const element info = root["meta_info"];
      if (info["prompt_tokens"].get(input) != simdjson::SUCCESS) return {};
      if (info["completion_tokens"].get(output) != simdjson::SUCCESS) return {};
      return Usage{.input_tokens = input, .output_tokens = output};
    });
  }
};

}  // namespace

std::unique_ptr<GradeWire> sglang_wire() { return std::make_unique<SglangWire>(); }

}  // namespace alambic
