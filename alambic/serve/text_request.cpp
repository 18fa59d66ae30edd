#include "alambic/serve/text_request.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <random>

#include "alambic/serve/chat_parts.h"
#include "alambic/text/chat/turns.h"

namespace alambic {

namespace {

constexpr int64_t most_choices = 128, most_stops = 16, most_stop_bytes = 4096;
constexpr double any = 1e9;

uint64_t seed_of(const RequestFields& fields) {
  if (fields.find("seed")) {
    return static_cast<uint64_t>(fields.integer("seed", 0, INT64_MIN, INT64_MAX));
  }
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

std::vector<std::string> read_stops(const RequestFields& fields) {
  std::vector<std::string> stops;
  if (!fields.find("stop")) return stops;
  fields.read("stop", [&](const JsonView& json) {
    if (json.is_string()) {
      stops.emplace_back(json.string());
    } else {
      for (const JsonView& item : json.items()) stops.emplace_back(item.string());
    }
    const auto is_wrong = [](const std::string& stop) {
      return stop.empty() || std::ssize(stop) > most_stop_bytes;
    };
    if (std::ssize(stops) > most_stops || std::ranges::any_of(stops, is_wrong)) {
      throw json.wrong(
          fmt::format("expected at most {} texts of 1 to {} bytes", most_stops, most_stop_bytes));
    }
    return 0;
  });
  return stops;
}

std::vector<std::pair<int32_t, float>> read_bias(const RequestFields& fields, int64_t vocabulary) {
  std::vector<std::pair<int32_t, float>> bias;
  if (!fields.find("logit_bias")) return bias;
  fields.read("logit_bias", [&](const JsonView& json) {
    for (const simdjson::dom::key_value_pair entry : json.object()) {
      int32_t id = -1;
      const char* end = entry.key.data() + entry.key.size();
      const auto read = std::from_chars(entry.key.data(), end, id);
      const double value = json.at(entry.key).number();
      if (read.ec != std::errc() || read.ptr != end || id < 0 || id >= vocabulary || value < -100 ||
          value > 100) {
        throw json.wrong(fmt::format(
            "expected token ids from 0 to {} with numbers from -100 to 100", vocabulary - 1));
      }
      bias.emplace_back(id, static_cast<float>(value));
    }
    return 0;
  });
  return bias;
}

TextRequest read_common(const RequestFields& fields, const ServedModel& model, TextForm form) {
  refuse_without_effect(fields, form);
  TextRequest request;
  request.form = form;
  request.n = fields.integer("n", 1, 1, most_choices);
  const int64_t best_of = fields.integer("best_of", request.n, 1, most_choices);
  if (best_of != request.n) {
    throw ApiError(400, "'best_of' other than 'n' is not supported by this server", "best_of",
                   "unsupported_field");
  }
  DrawSettings& draws = request.draws;
  draws.temperature = fields.number("temperature", 1, 0, any);
  // −1 is vLLM's for all.
  draws.top_k = std::max<int64_t>(0, fields.integer("top_k", 0, -1, INT32_MAX));
  draws.top_p = fields.number("top_p", 1, 0, 1);
  draws.min_p = fields.number("min_p", 0, 0, 1);
  draws.repetition_penalty = fields.number("repetition_penalty", 0, 1e-3, any);
  draws.logit_bias = read_bias(fields, model.vocabulary);
  draws.seed = seed_of(fields);
  request.stops = read_stops(fields);
  request.stop_token_ids = fields.ids("stop_token_ids", model.vocabulary);
  request.ignore_eos = fields.flag("ignore_eos", false);
  request.skip_special_tokens = fields.flag("skip_special_tokens", true);
  request.stream = fields.flag("stream", false);
  if (fields.find("stream_options")) {
    request.include_usage = fields.read("stream_options", [](const JsonView& json) {
      return json.boolean_or("include_usage", false);
    });
  }
  request.prompt_logprobs = fields.integer("prompt_logprobs", -2, -1, model.vocabulary);
  if (request.prompt_logprobs == -1) request.prompt_logprobs = model.vocabulary;
  request.prompt_logprobs = std::max<int64_t>(-1, request.prompt_logprobs);
  request.return_token_ids = fields.flag("return_token_ids", false);
  request.return_tokens_as_token_ids = fields.flag("return_tokens_as_token_ids", false);
  return request;
}

std::vector<std::vector<int32_t>> read_prompts(const RequestFields& fields,
                                               const ServedModel& model) {
  const bool special = fields.flag("add_special_tokens", true);
  if (!fields.find("prompt")) {
    throw ApiError(400, "the request has no field 'prompt'", "prompt");
  }
  return fields.read("prompt", [&](const JsonView& json) -> std::vector<std::vector<int32_t>> {
    const auto encode = [&](const JsonView& text) {
      return model.tokenizer->encode(text.string(), special);
    };
    if (json.is_string()) return {encode(json)};
    const std::vector<JsonView> items = json.items();
    if (items.empty()) throw json.wrong("expected a text, token ids, or a list of these");
    if (!items[0].is_string() && !items[0].is_array()) return {read_ids(json, model.vocabulary)};
    std::vector<std::vector<int32_t>> prompts;
    for (const JsonView& item : items) {
      prompts.push_back(item.is_string() ? encode(item) : read_ids(item, model.vocabulary));
    }
    return prompts;
  });
}

// The most tokens that may be written; without a wish as many as fit.
void fit_into_context(TextRequest& request, bool wished, const ServedModel& model,
                      const char* param) {
  size_t longest = 0;
  for (const std::vector<int32_t>& prompt : request.prompts) {
    if (prompt.empty()) {
      throw ApiError(400, "a prompt is empty: begin it with a token or any text", param);
    }
    longest = std::max(longest, prompt.size());
  }
  const int64_t left = model.context - static_cast<int64_t>(longest);
  if (!wished) request.max_tokens = std::max<int64_t>(1, left);
  if (left < request.max_tokens) {
    throw ApiError(400,
                   fmt::format("the prompt has {} tokens and {} are to be written, but the context "
                               "of {} is {} tokens",
                               longest, request.max_tokens, model.name, model.context),
                   param, "context_length_exceeded");
  }
}

void check_stream(const TextRequest& request) {
  if (!request.stream || request.graded_top() < 0) return;
  throw ApiError(400, "log-probabilities of the prompt are not streamed: leave out 'stream'",
                 request.prompt_logprobs >= 0 ? "prompt_logprobs" : "echo");
}

Chat read_messages(const RequestFields& fields, const ChatTemplate& chat_template) {
  if (!fields.find("messages")) {
    throw ApiError(400, "the request has no field 'messages'", "messages");
  }
  try {
    Chat chat = read_chat(fields.json());
    chat.completion = chat.messages.size();
    settle_parts(chat, chat_template);
    return chat;
  } catch (const Error& error) {
    throw ApiError(400, RequestFields::with_hint(error), "messages");
  }
}

bool tells_tools(const RequestFields& fields) {
  const std::optional<JsonView> choice = fields.find("tool_choice");
  return fields.find("tools") && !(choice && choice->is_string() && choice->string() == "none");
}

// Names of the tools, and how the model calls them.
void read_tools(const RequestFields& fields, const ServedModel& model, TextRequest& request) {
  request.one_call = !fields.flag("parallel_tool_calls", true);
  if (!tells_tools(fields)) return;
  request.tools = fields.read("tools", [](const JsonView& json) {
    std::vector<std::string> names;
    if (!json.is_array()) return names;  // JSON in a string, which the template reads
    for (const JsonView& tool : json.items()) {
      const std::optional<JsonView> function = tool.find("function");
      names.emplace_back((function ? *function : tool).at("name").string());
    }
    return names;
  });
  if (request.tools.empty()) return;
  request.tool_calls = tool_call_form(model);
  const auto mark = model.tokenizer->id_of(std::string(tool_call_mark(request.tool_calls)));
  // What begins a call must be seen.
  if (mark && model.tokenizer->is_special(*mark)) request.skip_special_tokens = false;
}

// What the template makes nothing of would be ignored.
void refuse_unwritten(const RequestFields& fields, const Chat& chat, const std::string& prompt,
                      const std::function<std::string(const Chat&)>& render) {
  const auto check = [&](const char* name, const Chat& without) {
    if (render(without) != prompt) return;
    throw ApiError(400, fmt::format("'{}': the model's chat template makes nothing of it", name),
                   name, "unsupported_field");
  };
  const bool no_tools =
      chat.tools.is_none() || (chat.tools.list() && chat.tools.list()->items.empty());
  if (tells_tools(fields) && !no_tools) {
    Chat without = chat;
    without.tools = {};
    check("tools", without);
  }
  if (fields.find("reasoning_effort")) {
    Chat without = chat;
    without.more.set("reasoning_effort", {});
    check("reasoning_effort", without);
  }
}

}  // namespace

int64_t TextRequest::graded_top() const {
  const int64_t of_echo = echo && form == TextForm::completion ? logprobs : -1;
  return std::max(of_echo, prompt_logprobs);
}

TextRequest read_completion_request(const RequestFields& fields, const ServedModel& model) {
  TextRequest request = read_common(fields, model, TextForm::completion);
  request.echo = fields.flag("echo", false);
  request.logprobs = fields.integer("logprobs", -1, 0, model.vocabulary);
  request.prompts = read_prompts(fields, model);
  request.max_tokens = fields.integer("max_tokens", 16, 0, INT32_MAX);
  if (request.max_tokens == 0 && !request.echo && request.prompt_logprobs < 0) {
    throw ApiError(400, "'max_tokens' is 0 and nothing is asked about the prompt", "max_tokens");
  }
  fit_into_context(request, true, model, "prompt");
  check_stream(request);
  return request;
}

std::string chat_prompt(const RequestFields& fields, const ServedModel& model) {
  if (model.chat_template == nullptr) {
    throw ApiError(400,
                   fmt::format("{} has no chat template: ask /v1/completions, or start the "
                               "server with --chat-template",
                               model.name),
                   "messages", "no_chat_template");
  }
  Chat chat = read_messages(fields, *model.chat_template);
  const std::string effort = fields.text("reasoning_effort", "");
  // As vLLM does; one that the conversation names itself counts.
  if (!effort.empty() && chat.more.find("reasoning_effort") == nullptr) {
    chat.more.set("reasoning_effort", effort);
  }
  const bool open = fields.flag("add_generation_prompt", true);
  const auto render = [&](const Chat& written) {
    return render_messages(*model.chat_template, written, written.messages.size(), open).text;
  };
  try {
    std::string prompt = render(chat);
    refuse_unwritten(fields, chat, prompt, render);
    return prompt;
  } catch (const ApiError&) {
    throw;
  } catch (const Error& error) {
    throw ApiError(400, RequestFields::with_hint(error), "messages");
  }
}

TextRequest read_chat_request(const RequestFields& fields, const ServedModel& model) {
  TextRequest request = read_common(fields, model, TextForm::chat);
  read_tools(fields, model, request);
  const int64_t top = fields.integer("top_logprobs", 0, 0, model.vocabulary);
  const bool graded = fields.flag("logprobs", false);
  if (graded) request.logprobs = top;
  if (!graded && top > 0) {
    throw ApiError(400, "'top_logprobs' comes with 'logprobs': true", "top_logprobs");
  }
  if (model.end_of_turn && !request.ignore_eos) {
    request.stop_token_ids.push_back(*model.end_of_turn);
  }
  request.prompts = {model.tokenizer->encode(chat_prompt(fields, model), false)};
  const char* name = fields.find("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
  const bool wished = fields.find(name).has_value();
  request.max_tokens = fields.integer(name, 1, 1, INT32_MAX);
  fit_into_context(request, wished, model, "messages");
  check_stream(request);
  return request;
}

}  // namespace alambic
