#include "alambic/serve/tool_calls.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "alambic/base/trimmed.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;
using Calls = std::optional<std::vector<ToolCall>>;

/// Marks around the calls; without an end they go to the end of the answer.
struct Marks {
  std::string_view begin, end;
};

constexpr Marks hermes = {"<tool_call>", "</tool_call>"};
constexpr Marks mistral = {"[TOOL_CALLS]", ""};
constexpr Marks llama = {"<|python_tag|>", ""};
constexpr Marks deepseek = {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"};

constexpr Marks marks_of(ToolCallForm form) {
  switch (form) {
    case ToolCallForm::hermes:
      return hermes;
    case ToolCallForm::mistral:
      return mistral;
    case ToolCallForm::llama3_json:
      return llama;
    case ToolCallForm::deepseek:
      return deepseek;
    case ToolCallForm::none:
      break;
  }
  return {};
}

std::optional<ToolCall> call_of(const Json& json) {
  if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) return {};
  for (const char* field : {"arguments", "parameters"}) {
    const auto found = json.find(field);
    if (found == json.end()) continue;
    if (!found->is_object() && !found->is_string()) return {};
    return ToolCall{.name = json["name"],
                    .arguments = found->is_string() ? found->get<std::string>() : found->dump()};
  }
  return {};
}

// One value of JSON after another, parted by white space or ";"; a list counts for its values.
Calls calls_of_json(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<ToolCall> calls;
  const auto add = [&](const Json& json) {
    const std::optional<ToolCall> call = call_of(json);
    if (call) calls.push_back(*call);
    return call.has_value();
  };
  try {
    while ((in >> std::ws) && in.peek() != std::char_traits<char>::eof()) {
      if (in.peek() == ';') {
        in.get();
        continue;
      }
      Json json;
      in >> json;
      const bool good = json.is_array() ? std::ranges::all_of(json, add) : add(json);
      if (!good) return {};
    }
  } catch (const Json::exception&) {
    return {};
  }
  if (calls.empty()) return {};
  return calls;
}

// A name and, behind `mark`, its arguments.
Calls named_call(std::string_view text, std::string_view mark) {
  const size_t at = text.find(mark);
  if (at == text.npos) return {};
  const Json json = Json::parse(trimmed(text.substr(at + mark.size())), nullptr, false);
  const std::string_view name = trimmed(text.substr(0, at));
  if (!json.is_object() || name.empty()) return {};
  return std::vector{ToolCall{.name = std::string(name), .arguments = json.dump()}};
}

// "name[ARGS]{…}[TOOL_CALLS]name[ARGS]{…}", or a list.
Calls mistral_calls(std::string_view text) {
  if (trimmed(text).starts_with('[')) return calls_of_json(text);
  std::vector<ToolCall> calls;
  while (!trimmed(text).empty()) {
    const size_t next = std::min(text.find(mistral.begin), text.size());
    const Calls one = named_call(text.substr(0, next), "[ARGS]");
    if (!one) return {};
    calls.push_back(one->front());
    text.remove_prefix(std::min(next + mistral.begin.size(), text.size()));
  }
  return calls;
}

Calls deepseek_calls(std::string_view text) {
  constexpr std::string_view begin = "<｜tool▁call▁begin｜>", end = "<｜tool▁call▁end｜>";
  constexpr std::string_view separator = "<｜tool▁sep｜>", fence = "```json";
  std::vector<ToolCall> calls;
  for (size_t at = text.find(begin); at != text.npos; at = text.find(begin, at + 1)) {
    const size_t from = at + begin.size();
    std::string_view one = text.substr(from, std::min(text.find(end, from), text.size()) - from);
    const std::string_view of_v3 = "function";
    if (one.starts_with(of_v3) && one.find(fence) != one.npos) {
      one.remove_prefix(std::min(one.find(separator) + separator.size(), one.size()));
      const size_t last = one.rfind("```");
      const Calls call = named_call(one.substr(0, std::max(last, one.find(fence) + 7)), fence);
      if (!call) return {};
      calls.push_back(call->front());
      continue;
    }
    const Calls call = named_call(one, separator);
    if (!call) return {};
    calls.push_back(call->front());
  }
  if (calls.empty()) return {};
  return calls;
}

// The longest end of the text that begins the mark.
size_t begun_mark(std::string_view text, std::string_view mark) {
  for (size_t length = std::min(mark.size() - 1, text.size()); length > 0; --length) {
    if (text.ends_with(mark.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

std::string_view tool_call_mark(ToolCallForm form) { return marks_of(form).begin; }

ToolCallForm tool_call_form(const ServedModel& model) {
  constexpr std::array forms = {ToolCallForm::hermes, ToolCallForm::mistral, ToolCallForm::deepseek,
                                ToolCallForm::llama3_json};
  if (model.chat_template == nullptr) return ToolCallForm::none;
  const std::string& source = model.chat_template->source();
  for (const ToolCallForm form : forms) {
    if (source.find(tool_call_mark(form)) != source.npos) return form;
  }
  // Llama's own templates name the field, not the mark.
  if (source.find("\"parameters\": dictionary of argument name") != source.npos) {
    return ToolCallForm::llama3_json;
  }
  for (const ToolCallForm form : forms) {
    if (model.tokenizer->id_of(std::string(tool_call_mark(form)))) return form;
  }
  return ToolCallForm::none;
}

bool ToolCallReader::take(std::string_view body) {
  const Calls found = form_ == ToolCallForm::mistral    ? mistral_calls(body)
                      : form_ == ToolCallForm::deepseek ? deepseek_calls(body)
                                                        : calls_of_json(body);
  const auto is_offered = [&](const ToolCall& call) {
    return std::ranges::find(tools_, call.name) != tools_.end();
  };
  if (!found || !std::ranges::all_of(*found, is_offered)) return false;
  calls_.insert(calls_.end(), found->begin(), found->end());
  if (one_ && calls_.size() > 1) calls_.resize(1);
  return true;
}

std::string ToolCallReader::push(std::string_view text) {
  held_ += text;
  return settle(false);
}

std::string ToolCallReader::finish() { return settle(true); }

std::string ToolCallReader::settle(bool all) {
  const Marks marks = marks_of(form_);
  std::string settled;
  const auto give = [&](size_t count) {
    const std::string_view text = std::string_view(held_).substr(0, count);
    begun_ |= !trimmed(text).empty();
    // White space around calls is theirs.
    if (calls_.empty() || !trimmed(text).empty()) settled += text;
    held_.erase(0, count);
  };
  while (!held_.empty()) {
    const std::string_view ahead = trimmed(held_);
    if (form_ == ToolCallForm::llama3_json && !begun_ && (ahead.empty() || ahead[0] == '{')) {
      if (!all) return settled;
      if (take(ahead)) {
        held_.clear();
      } else {
        give(held_.size());
      }
      continue;
    }
    const size_t begin = held_.find(marks.begin);
    if (begin == held_.npos) {
      give(held_.size() - (all ? 0 : begun_mark(held_, marks.begin)));
      return settled;
    }
    // White space alone before a call is not content.
    if (begun_ || !trimmed(std::string_view(held_).substr(0, begin)).empty()) {
      give(begin);
    } else {
      held_.erase(0, begin);
    }
    const size_t close = marks.end.empty() ? held_.npos : held_.find(marks.end);
    if (close == held_.npos && !all) return settled;
    const size_t body_end = std::min(close, held_.size());
    const size_t whole_end = close == held_.npos ? held_.size() : close + marks.end.size();
    if (take(std::string_view(held_).substr(marks.begin.size(), body_end - marks.begin.size()))) {
      held_.erase(0, whole_end);
    } else {
      give(whole_end);
    }
  }
  return settled;
}

}  // namespace alambic
