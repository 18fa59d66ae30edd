// A teacher of a few lines behind the wires of all kinds of servers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "alambic/base/byte_text.h"
#include "alambic/base/files.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/base/utf8.h"
#include "alambic/io/safetensors.h"
#include "alambic/remote/protocol.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "tests/loopback_server.h"

namespace alambic {

/// Log-probabilities that depend on the two tokens before.
struct ToyTeacher {
  const Tokenizer& tokenizer;
  bool certain = false;  // all is as sure as it can be
  int seed = 0;
  int32_t spelling_shift = 0;  // ids are spelled as their neighbors
  int64_t most_k = INT64_MAX;
  bool names_bytes = false;      // halves of characters are spelled "bytes:\xe2", as OpenAI does
  bool ends_characters = false;  // their last parts are spelled as the whole, as vLLM does
  std::string version = "toy 1";
  int64_t context = 4096;
  bool tells_context = true;
  std::string too_long = R"({"error":{"message":"too long","code":"context_length_exceeded"}})";

  using Json = nlohmann::json;
  using Tokens = std::vector<int32_t>;

  std::vector<float> logp(const Tokens& tokens, int64_t place) const {
    const auto V = static_cast<size_t>(tokenizer.size());
    std::vector<double> logits(V);
    const int32_t last = tokens[static_cast<size_t>(place - 1)];
    const int32_t before = place > 1 ? tokens[static_cast<size_t>(place - 2)] : 0;
    double sum = 0;
    for (size_t v = 0; v < V; ++v) {
      logits[v] = 2 * std::sin(0.37 * static_cast<double>(v) * (last % 13 + 1) + before + seed) +
                  std::sin(0.011 * static_cast<double>(v * v) + last);
      sum += std::exp(logits[v]);
    }
    std::vector<float> all;
    for (const double logit : logits) all.push_back(static_cast<float>(logit - std::log(sum)));
    return all;
  }
  std::string spelled(int32_t id) const {
    const int32_t other = (id + spelling_shift) % static_cast<int32_t>(tokenizer.size());
    const std::string bytes = tokenizer.bytes_of(other).value_or("");
    return names_bytes ? byte_text(bytes) : bytes;
  }
  std::string spelled_behind(int32_t last, int32_t id) const {
    if (!ends_characters || is_valid_utf8(spelled(id))) return spelled(id);
    const std::string both = spelled(last) + spelled(id);
    return is_valid_utf8(both) ? both : "";
  }
  static std::vector<int32_t> best(const std::vector<float>& logp, int64_t k) {
    std::vector<int32_t> ids(logp.size());
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
    std::ranges::sort(ids, [&](int32_t a, int32_t b) {
      return logp[static_cast<size_t>(a)] > logp[static_cast<size_t>(b)];
    });
    ids.resize(static_cast<size_t>(k));
    return ids;
  }
  double value(const std::vector<float>& logp, int32_t id) const {
    return certain ? 0.0 : static_cast<double>(logp[static_cast<size_t>(id)]);
  }

  std::function<ServedReply(const ServedRequest&)> handler(Protocol protocol) const {
    return [self = *this, protocol](const ServedRequest& request) {
      return self.reply(protocol, request);
    };
  }

  ServedReply reply(Protocol protocol, const ServedRequest& request) const {
    if (request.path == "/v1/models") {
      const std::string owner = protocol == Protocol::echo ? "fireworks" : protocol_name(protocol);
      Json model = {{"id", "toy"}, {"owned_by", owner}};
      if (tells_context) model["max_model_len"] = context;
      return {.body = Json{{"data", {model}}}.dump()};
    }
    if (request.path == "/props") {
      if (!tells_context) return {.body = "{}"};
      return {.body = R"({"build_info":"b1","default_generation_settings":{"n_ctx":256}})"};
    }
    if (request.path == "/version" && !version.empty()) {
      return {.body = Json{{"version", version}}.dump()};
    }
    if (request.body.empty()) return {.status = 404, .body = R"({"error":{"message":"no route"}})"};
    const Json json = Json::parse(request.body);
    // Beside the prompt it must write a token.
    if (longest(json) + json.value("n_predict", 1) > context)
      return {.status = 400, .body = too_long};
    if (request.path == "/completion") return llamacpp(json);
    if (request.path == "/generate") return sglang(json);
    if (request.path == "/v1/grade") return grades(json);
    if (protocol == Protocol::echo) return echo(json);
    if (request.path == "/v1/completions") return vllm(json);
    return {.status = 404, .body = R"({"error":{"message":"no route"}})"};
  }

  static int64_t longest(const Json& json) {
    const char* const keys[] = {"prompt", "input_ids", "sequences"};
    int64_t longest = 0;
    for (const char* key : keys) {
      if (!json.contains(key)) continue;
      const Json& given = json[key];
      if (given.front().is_array()) {
        for (const Json& one : given) longest = std::max(longest, std::ssize(one));
      } else {
        longest = std::max(longest, std::ssize(given));
      }
    }
    return longest;
  }

  ServedReply vllm(const Json& json) const {
    const int64_t k = json["prompt_logprobs"];
    if (k > most_k) {
      return {
          .status = 400,
          .body = fmt::format(R"({{"error":{{"message":"Requested prompt logprobs of {}, which is )"
                              R"(greater than max allowed: {}","param":"prompt_logprobs"}}}})",
                              k, most_k)};
    }
    Json choices = Json::array();
    for (const Json& prompt : json["prompt"]) {
      const Tokens tokens = prompt;
      Json rows = {nullptr};
      for (int64_t place = 1; place < std::ssize(tokens); ++place) {
        const auto all = logp(tokens, place);
        Json row = Json::object();
        auto ids = best(all, k);
        ids.push_back(tokens[static_cast<size_t>(place)]);
        for (const int32_t id : ids) {
          const int32_t last = tokens[static_cast<size_t>(place - 1)];
          row[std::to_string(id)] = {{"logprob", value(all, id)},
                                     {"decoded_token", spelled_behind(last, id)}};
        }
        rows.push_back(row);
      }
      choices.push_back({{"index", choices.size()}, {"prompt_logprobs", rows}});
    }
    return {.body =
                Json{{"choices", choices}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
  }

  ServedReply llamacpp(const Json& json) const {
    Tokens tokens = json["prompt"], forced;
    const std::string grammar = json.value("grammar", "");
    for (size_t at = grammar.find("<["); at != grammar.npos; at = grammar.find("<[", at + 1)) {
      forced.push_back(std::stoi(grammar.substr(at + 2)));
    }
    Json rows = Json::array();
    const size_t most = json["n_predict"];
    for (size_t i = 0; i < most; ++i) {
      const auto all = logp(tokens, std::ssize(tokens));
      const int32_t next = i < forced.size() ? forced[i]
                           : grammar.empty() ? best(all, 1)[0]
                                             : *tokenizer.eos();
      Json top = Json::array();
      for (const int32_t id : best(all, json["n_probs"])) {
        const std::string text = spelled(id);
        top.push_back({{"id", id},
                       {"logprob", value(all, id)},
                       {"bytes", std::vector<unsigned char>(text.begin(), text.end())}});
      }
      // The place of half a character is told with its other half, which does not come.
      if (next == *tokenizer.eos() || is_valid_utf8(tokenizer.bytes_of(next).value_or(""))) {
        rows.push_back({{"id", next}, {"logprob", value(all, next)}, {"top_logprobs", top}});
      }
      tokens.push_back(next);
      if (next == *tokenizer.eos()) break;
    }
    if (rows.empty()) return {.body = R"({"content":""})"};
    return {.body = Json{{"completion_probabilities", rows}}.dump()};
  }

  ServedReply sglang(const Json& json) const {
    const Tokens tokens = json["input_ids"];
    const int64_t start = json["logprob_start_len"], k = json["top_logprobs_num"];
    Json own = {{nullptr, tokens[static_cast<size_t>(start)], nullptr}}, top = {nullptr};
    own = Json::array({Json::array({nullptr, tokens[static_cast<size_t>(start)], nullptr})});
    top = Json::array({nullptr});
    for (int64_t place = start + 1; place < std::ssize(tokens); ++place) {
      const auto all = logp(tokens, place);
      const int32_t token = tokens[static_cast<size_t>(place)];
      own.push_back(Json::array({value(all, token), token, nullptr}));
      Json row = Json::array();
      for (const int32_t id : best(all, k))
        row.push_back(Json::array({value(all, id), id, nullptr}));
      top.push_back(row);
    }
    return {.body =
                Json{{"meta_info", {{"input_token_logprobs", own}, {"input_top_logprobs", top}}}}
                    .dump()};
  }

  ServedReply echo(const Json& json) const {
    const Tokens tokens = json["prompt"];
    Json content = Json::array();
    for (int64_t place = 0; place < std::ssize(tokens); ++place) {
      const int32_t token = tokens[static_cast<size_t>(place)];
      Json entry = {{"token_id", token}, {"logprob", nullptr}};
      if (place > 0) {
        const auto all = logp(tokens, place);
        entry["logprob"] = value(all, token);
        for (const int32_t id : best(all, json["top_logprobs"])) {
          entry["top_logprobs"].push_back({{"token_id", id}, {"logprob", value(all, id)}});
        }
      }
      content.push_back(entry);
    }
    return {.body = Json{{"choices", {{{"logprobs", {{"content", content}}}}}}}.dump()};
  }

  ServedReply grades(const Json& json) const {
    const int64_t k = json["topk"];
    std::vector<float> topk, own;
    std::vector<int32_t> ids;
    std::vector<int64_t> offsets = {0};
    for (size_t s = 0; s < json["sequences"].size(); ++s) {
      const Tokens tokens = json["sequences"][s];
      for (int64_t place = json["from"][s]; place < std::ssize(tokens); ++place) {
        const auto all = logp(tokens, place);
        own.push_back(all[static_cast<size_t>(tokens[static_cast<size_t>(place)])]);
        for (const int32_t id : best(all, k)) {
          ids.push_back(id);
          topk.push_back(all[static_cast<size_t>(id)]);
        }
      }
      offsets.push_back(std::ssize(own));
    }
    const auto M = std::ssize(own);
    const auto view = [](const std::string& name, Dtype dtype, std::vector<int64_t> shape,
                         const auto& numbers) {
      return TensorView{name, dtype, std::move(shape), std::as_bytes(std::span(numbers))};
    };
    std::vector<TensorView> tensors = {view("logp", Dtype::F32, {M}, own),
                                       view("offsets", Dtype::I64, {std::ssize(offsets)}, offsets)};
    if (k > 0) {
      tensors.push_back(view("topk_logp", Dtype::F32, {M, k}, topk));
      tensors.push_back(view("token", Dtype::I32, {M, k}, ids));
    }
    const TemporaryFolder folder;
    write_safetensors(folder.path() / "grades", tensors, {});
    return {.body = read_file(folder.path() / "grades")};
  }
};

}  // namespace alambic
