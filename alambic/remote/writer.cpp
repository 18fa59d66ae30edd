#include "alambic/remote/writer.h"

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/sha256.h"
#include "alambic/remote/token_grades.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& at(const Json& json, const char* key) {
  static const Json none;
  const auto found = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && found != json.end() ? *found : none;
}

const Json& first_of(const Json& json, const char* key) {
  const Json& list = at(json, key);
  if (!list.is_array() || list.empty()) throw MalformedReply(fmt::format("no {} in it", key));
  return list.front();
}

std::string text_of(const Json& json) { return json.is_string() ? json.get<std::string>() : ""; }

int64_t count_of(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_number_integer() ? std::max<int64_t>(0, value.get<int64_t>()) : 0;
}

Json openai_body(const std::string& model, const WriteRequest& request,
                 const WriteSettings& settings) {
  Json body = {{"model", model}};
  if (request.messages.empty()) {
    body["prompt"] = request.tokens;
    body["add_special_tokens"] = false;
  } else {
    for (const auto& [role, content] : request.messages) {
      body["messages"].push_back({{"role", role}, {"content", content}});
    }
  }
  body["max_tokens"] = settings.max_tokens;
  body["temperature"] = settings.temperature;
  if (settings.top_p < 1) body["top_p"] = settings.top_p;
  const int64_t seed = settings.seed + request.sample;
  if (seed != 0) body["seed"] = seed;
  if (settings.top_logprobs > 0) {
    body["logprobs"] = true;
    body["top_logprobs"] = settings.top_logprobs;
  }
  return body;
}

Json anthropic_body(const std::string& model, const WriteRequest& request,
                    const WriteSettings& settings) {
  Json body = {{"model", model},
               {"max_tokens", settings.max_tokens},
               {"temperature", settings.temperature},
               {"messages", Json::array()}};
  if (settings.top_p < 1) body["top_p"] = settings.top_p;
  for (const auto& [role, content] : request.messages) {
    if (role == "system") {
      body["system"] = content;
    } else {
      body["messages"].push_back({{"role", role}, {"content", content}});
    }
  }
  return body;
}

Json gemini_body(const WriteRequest& request, const WriteSettings& settings) {
  Json body = {{"contents", Json::array()}};
  for (const auto& [role, content] : request.messages) {
    const Json parts = Json::array({{{"text", content}}});
    if (role == "system") {
      body["systemInstruction"] = {{"parts", parts}};
    } else {
      body["contents"].push_back(
          {{"role", role == "assistant" ? "model" : "user"}, {"parts", parts}});
    }
  }
  Json config = {{"maxOutputTokens", settings.max_tokens}, {"temperature", settings.temperature}};
  if (settings.top_p < 1) config["topP"] = settings.top_p;
  if (settings.top_logprobs > 0) {
    config["responseLogprobs"] = true;
    config["logprobs"] = settings.top_logprobs;
  }
  body["generationConfig"] = config;
  return body;
}

WrittenText read_openai(const Json& json) {
  const Json& choice = first_of(json, "choices");
  const Json& message = at(choice, "message");
  WrittenText written{
      .text = text_of(message.is_null() ? at(choice, "text") : at(message, "content")),
      .ended = text_of(at(choice, "finish_reason")) == "stop"};
  const Json& content = at(at(choice, "logprobs"), "content");
  if (content.is_array() && !content.empty()) {
    for (const Json& one : at(content.front(), "top_logprobs")) {
      if (!at(one, "logprob").is_number()) continue;
      written.first.emplace_back(text_of(at(one, "token")), at(one, "logprob").get<double>());
    }
  }
  const Json& usage = at(json, "usage");
  written.usage = {.input_tokens = count_of(usage, "prompt_tokens"),
                   .output_tokens = count_of(usage, "completion_tokens")};
  return written;
}

WrittenText read_anthropic(const Json& json) {
  WrittenText written{.ended = text_of(at(json, "stop_reason")) != "max_tokens"};
  if (!at(json, "content").is_array()) throw MalformedReply("no content in it");
  for (const Json& part : at(json, "content")) written.text += text_of(at(part, "text"));
  const Json& usage = at(json, "usage");
  written.usage = {.input_tokens = count_of(usage, "input_tokens"),
                   .output_tokens = count_of(usage, "output_tokens")};
  return written;
}

WrittenText read_gemini(const Json& json) {
  const Json& candidate = first_of(json, "candidates");
  WrittenText written{.ended = text_of(at(candidate, "finishReason")) == "STOP"};
  for (const Json& part : at(at(candidate, "content"), "parts")) {
    written.text += text_of(at(part, "text"));
  }
  const Json& tops = at(at(candidate, "logprobsResult"), "topCandidates");
  if (tops.is_array() && !tops.empty()) {
    for (const Json& one : at(tops.front(), "candidates")) {
      if (!at(one, "logProbability").is_number()) continue;
      written.first.emplace_back(text_of(at(one, "token")),
                                 at(one, "logProbability").get<double>());
    }
  }
  const Json& usage = at(json, "usageMetadata");
  written.usage = {.input_tokens = count_of(usage, "promptTokenCount"),
                   .output_tokens = count_of(usage, "candidatesTokenCount")};
  return written;
}

}  // namespace

ChatForm chat_form(const Endpoint& endpoint) {
  if (endpoint.host == "api.anthropic.com") return ChatForm::anthropic;
  if (endpoint.host == "generativelanguage.googleapis.com") return ChatForm::gemini;
  return ChatForm::openai;
}

std::string key_header(ChatForm form) {
  return form == ChatForm::anthropic ? "x-api-key: "
         : form == ChatForm::gemini  ? "x-goog-api-key: "
                                     : "Authorization: Bearer ";
}

std::vector<std::string> extra_headers(ChatForm form) {
  if (form != ChatForm::anthropic) return {};
  return {"anthropic-version: 2023-06-01"};
}

WriteExchange write_exchange(ChatForm form, const std::string& model, const WriteRequest& request,
                             const WriteSettings& settings) {
  check(form == ChatForm::openai || !request.messages.empty(), "token ids for a server of chats");
  switch (form) {
    case ChatForm::anthropic:
      return {"/v1/messages", dump(anthropic_body(model, request, settings))};
    case ChatForm::gemini:
      return {fmt::format("/v1beta/models/{}:generateContent", model),
              dump(gemini_body(request, settings))};
    case ChatForm::openai:
      break;
  }
  return {request.messages.empty() ? "/v1/completions" : "/v1/chat/completions",
          dump(openai_body(model, request, settings))};
}

WrittenText read_written(ChatForm form, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) throw MalformedReply("a reply that is no JSON object");
  switch (form) {
    case ChatForm::anthropic:
      return read_anthropic(json);
    case ChatForm::gemini:
      return read_gemini(json);
    case ChatForm::openai:
      break;
  }
  return read_openai(json);
}

RemoteWriter::RemoteWriter(const Endpoint& endpoint, const std::shared_ptr<const Secret>& key,
                           ClientOptions options, std::shared_ptr<Budget> budget)
    : form_(chat_form(endpoint)),
      client_(
          endpoint, key,
          [&] {
            options.key_header = key_header(form_);
            options.headers = extra_headers(form_);
            return options;
          }(),
          std::move(budget)),
      model_(endpoint.model) {}

const std::string& RemoteWriter::model() {
  if (!model_.empty()) return model_;
  std::vector<std::string> ids;
  const Exchange exchange{.route = "/v1/models", .read = [&](const Answer& answer) {
                            const Json json = Json::parse(answer.body, nullptr, false);
                            for (const Json& one : at(json, "data")) {
                              ids.push_back(text_of(at(one, "id")));
                            }
                            return Usage();
                          }};
  client_.run({&exchange, 1});
  if (ids.size() != 1 || ids[0].empty()) {
    throw input_error("{} serves {} models: {}", client_.endpoint().name(), ids.size(),
                      join(ids).substr(0, 500))
        .with_hint("https://…#MODEL names one");
  }
  model_ = ids[0];
  return model_;
}

void RemoteWriter::keep_in(const fs::path& folder, const std::string& name) {
  journal_folder_ = folder;
  journal_name_ = name;
}

void RemoteWriter::write(std::span<const WriteRequest> requests, const WriteSettings& settings,
                         const std::function<void(size_t, const WrittenText&)>& done) {
  const std::string name = model();
  if (!journal_ && !journal_folder_.empty()) {
    journal_ = std::make_unique<Journal>(journal_folder_, journal_name_);
    client_.take_over(journal_->usage());
  }
  std::vector<Exchange> exchanges;
  for (size_t i = 0; i < requests.size(); ++i) {
    const WriteExchange wire = write_exchange(form_, name, requests[i], settings);
    const std::string draw = requests[i].sample == 0 ? "" : fmt::format("\n{}", requests[i].sample);
    const std::string key = sha256(
        fmt::format("write 1\n{}\n{}{}", client_.endpoint().url(wire.route), wire.body, draw));
    if (const auto kept = journal_ ? journal_->find(key) : std::nullopt) {
      done(i, read_written(form_, *kept));
      continue;
    }
    // A byte of JSON is at least a quarter of a token.
    const Usage most{.input_tokens = std::ssize(wire.body) / 3 + 16,
                     .output_tokens = settings.max_tokens};
    exchanges.push_back(
        {.route = wire.route,
         .body = wire.body,
         .most = most,
         .read =
             [this, i, most, key, &done](const Answer& answer) {
               WrittenText written = read_written(form_, answer.body);
               if (written.usage == Usage()) written.usage = most;
               if (journal_) {
                 const Journal::Reply reply{.key = key,
                                            .bytes = answer.body,
                                            .facts = {.usage = written.usage,
                                                      .attempts = answer.attempts,
                                                      .seconds = answer.seconds}};
                 journal_->add({&reply, 1});
               }
               done(i, written);
               return written.usage;
             },
         .too_long =
             [i, &done](int64_t context) { done(i, {.too_long = true, .context = context}); }});
  }
  client_.run(exchanges);
}

}  // namespace alambic
