#include "alambic/serve/answer_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace alambic {

using Json = nlohmann::ordered_json;

namespace {

// JSON has no infinities; vLLM sends −9999 for the logarithm of 0.
double finite(float logp) { return std::isfinite(logp) ? logp : -9999.0; }

std::string name_of(const AnswerHead& head, int32_t id) {
  if (head.request.return_tokens_as_token_ids) return fmt::format("token_id:{}", id);
  return token_text(*head.model.tokenizer, id);
}

size_t characters(const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// The four lists of a completion's `logprobs`.
struct TokenLists {
  Json tokens = Json::array(), logps = Json::array(), tops = Json::array(), offsets = Json::array();
  size_t offset = 0;

  void add(const AnswerHead& head, int32_t id, Json logp, Json top) {
    tokens.push_back(name_of(head, id));
    logps.push_back(std::move(logp));
    tops.push_back(std::move(top));
    offsets.push_back(offset);
    offset += characters(token_text(*head.model.tokenizer, id));
  }
  Json json() && {
    return {{"tokens", std::move(tokens)},
            {"token_logprobs", std::move(logps)},
            {"top_logprobs", std::move(tops)},
            {"text_offset", std::move(offsets)}};
  }
};

void add_prompt(const AnswerHead& head, const std::vector<int32_t>& prompt, const Grades& grades,
                size_t sequence, TokenLists& lists) {
  lists.add(head, prompt[0], nullptr, nullptr);
  for (size_t i = 1; i < prompt.size(); ++i) {
    const size_t row = static_cast<size_t>(grades.offsets[sequence]) + i - 1;
    Json top = Json::object();
    for (int64_t k = 0; k < std::min(head.request.logprobs, grades.k); ++k) {
      const size_t at = row * static_cast<size_t>(grades.k) + static_cast<size_t>(k);
      top.emplace(name_of(head, grades.topk_token[at]), finite(grades.topk_logp[at]));
    }
    top.emplace(name_of(head, prompt[i]), finite(grades.logp[row]));
    lists.add(head, prompt[i], finite(grades.logp[row]), std::move(top));
  }
}

void add_written(const AnswerHead& head, const AnswerChoice& choice, const AnswerChoice::Part& part,
                 TokenLists& lists) {
  for (size_t i = part.first_token; i < part.end_token; ++i) {
    const WrittenToken& token = choice.tokens()[i];
    Json top = Json::object();
    for (const auto& alternative : token.alternatives) {
      top.emplace(name_of(head, alternative.first), finite(alternative.second));
    }
    top.emplace(name_of(head, token.id), finite(token.logp));
    lists.add(head, token.id, finite(token.logp), std::move(top));
  }
}

Json ids_of(const AnswerChoice& choice, const AnswerChoice::Part& part) {
  Json ids = Json::array();
  for (size_t i = part.first_token; i < part.end_token; ++i) ids.push_back(choice.tokens()[i].id);
  return ids;
}

Json reason_of(const AnswerChoice& choice, const AnswerChoice::Part& part) {
  return part.last ? Json(choice.finish_reason()) : Json();
}

void add_ids(const AnswerHead& head, const AnswerChoice& choice, const AnswerChoice::Part& part,
             Json& json) {
  if (part.last) {
    json["stop_reason"] = choice.stopped_by() ? Json(*choice.stopped_by()) : Json();
  }
  if (!head.request.return_token_ids) return;
  json["token_ids"] = ids_of(choice, part);
  if (part.first_token == 0) json["prompt_token_ids"] = choice.job().prompt;
}

Json chat_token(const AnswerHead& head, int32_t id, float logp) {
  Json bytes = Json::array();
  for (const char byte : token_bytes(*head.model.tokenizer, id)) {
    bytes.push_back(static_cast<unsigned char>(byte));
  }
  return {{"token", name_of(head, id)}, {"logprob", finite(logp)}, {"bytes", std::move(bytes)}};
}

// Numbered in a stream, whose pieces a client puts together.
Json tool_calls(const AnswerHead& head, const AnswerChoice& choice, const AnswerChoice::Part& part,
                bool chunk) {
  Json calls = Json::array();
  for (size_t i = part.first_call; i < part.end_call; ++i) {
    const ToolCall& call = choice.calls()[i];
    Json one = Json::object();
    if (chunk) one["index"] = i;
    one["id"] =
        fmt::format("call_{}_{}_{}", head.id.substr(head.id.find('-') + 1), choice.index(), i);
    one["type"] = "function";
    one["function"] = {{"name", call.name}, {"arguments", call.arguments}};
    calls.push_back(std::move(one));
  }
  return calls;
}

Json chat_logprobs(const AnswerHead& head, const AnswerChoice& choice,
                   const AnswerChoice::Part& part) {
  Json content = Json::array();
  for (size_t i = part.first_token; i < part.end_token; ++i) {
    const WrittenToken& token = choice.tokens()[i];
    Json entry = chat_token(head, token.id, token.logp);
    entry["top_logprobs"] = Json::array();
    for (const auto& alternative : token.alternatives) {
      entry["top_logprobs"].push_back(chat_token(head, alternative.first, alternative.second));
    }
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

}  // namespace

Json answer_frame(const AnswerHead& head, bool chunk) {
  const bool chat = head.request.form == TextForm::chat;
  const char* object = !chat   ? "text_completion"
                       : chunk ? "chat.completion.chunk"
                               : "chat.completion";
  return {{"id", head.id},
          {"object", object},
          {"created", head.created},
          {"model", head.model.name},
          {"choices", Json::array()}};
}

Json usage_json(const TextRequest& request, const std::vector<AnswerChoice>& choices) {
  int64_t prompt = 0, written = 0;
  for (const std::vector<int32_t>& ids : request.prompts) prompt += std::ssize(ids);
  for (const AnswerChoice& choice : choices) written += std::ssize(choice.tokens());
  return {{"prompt_tokens", prompt},
          {"completion_tokens", written},
          {"total_tokens", prompt + written}};
}

Json completion_choice(const AnswerHead& head, const AnswerChoice& choice,
                       const AnswerChoice::Part& part, const Grades* grades) {
  const TextRequest& request = head.request;
  const std::vector<int32_t>& prompt = choice.job().prompt;
  const size_t sequence = choice.index() / static_cast<size_t>(request.n);
  const bool echo = request.echo && part.first_token == 0;
  std::string text = part.text;
  if (echo) text = head.model.tokenizer->decode(prompt, request.skip_special_tokens) + text;
  Json logprobs;
  if (request.logprobs >= 0) {
    TokenLists lists;
    if (echo && grades != nullptr) add_prompt(head, prompt, *grades, sequence, lists);
    add_written(head, choice, part, lists);
    logprobs = std::move(lists).json();
  }
  Json json = {{"index", choice.index()},
               {"text", std::move(text)},
               {"logprobs", std::move(logprobs)},
               {"finish_reason", reason_of(choice, part)}};
  if (request.prompt_logprobs >= 0 && grades != nullptr) {
    json["prompt_logprobs"] = prompt_logprobs_json(*head.model.tokenizer, prompt, *grades, sequence,
                                                   request.prompt_logprobs);
  }
  add_ids(head, choice, part, json);
  return json;
}

Json chat_choice(const AnswerHead& head, const AnswerChoice& choice, const AnswerChoice::Part& part,
                 bool chunk) {
  Json message = Json::object();
  if (!chunk) message = {{"role", "assistant"}, {"content", part.text}};
  if (chunk && !part.text.empty()) message["content"] = part.text;
  if (part.first_call < part.end_call) {
    if (!chunk && part.text.empty()) message["content"] = nullptr;
    message["tool_calls"] = tool_calls(head, choice, part, chunk);
  }
  Json json = {{"index", choice.index()},
               {chunk ? "delta" : "message", std::move(message)},
               {"logprobs", nullptr},
               {"finish_reason", reason_of(choice, part)}};
  if (head.request.logprobs >= 0) json["logprobs"] = chat_logprobs(head, choice, part);
  add_ids(head, choice, part, json);
  return json;
}

Json prompt_logprobs_json(const Tokenizer& tokenizer, const std::vector<int32_t>& prompt,
                          const Grades& grades, size_t sequence, int64_t k) {
  Json rows = Json::array({nullptr});
  const auto entry = [&](int32_t id, float logp, int64_t rank) -> Json {
    return {
        {"logprob", finite(logp)}, {"rank", rank}, {"decoded_token", token_text(tokenizer, id)}};
  };
  for (size_t i = 1; i < prompt.size(); ++i) {
    const size_t row = static_cast<size_t>(grades.offsets[sequence]) + i - 1;
    Json tokens = Json::object();
    for (int64_t place = 0; place < std::min(k, grades.k); ++place) {
      const size_t at = row * static_cast<size_t>(grades.k) + static_cast<size_t>(place);
      tokens.emplace(std::to_string(grades.topk_token[at]),
                     entry(grades.topk_token[at], grades.topk_logp[at], place + 1));
    }
    tokens.emplace(std::to_string(prompt[i]), entry(prompt[i], grades.logp[row], grades.rank[row]));
    rows.push_back(std::move(tokens));
  }
  return rows;
}

}  // namespace alambic
