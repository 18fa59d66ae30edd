#include "alambic/text/data/row_forms.h"

#include <algorithm>
#include <array>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/text/data/json_text.h"

namespace alambic {

namespace {

const std::vector<std::string> our_names = {
    "text",          "prompt",      "completion",     "messages",
    "answer",        "teacher",     "tools",          "chat_template_kwargs",
    "conversations", "instruction", "teacher_prompt", "input",
    "output",        "system",      "history"};

// Speakers of ShareGPT and of what was written in its form since, and OpenAI's roles.
struct Speaker {
  std::string_view from, role;
};
constexpr Speaker speakers[] = {
    {"human", "user"},          {"user", "user"},       {"gpt", "assistant"},
    {"chatgpt", "assistant"},   {"bing", "assistant"},  {"bard", "assistant"},
    {"assistant", "assistant"}, {"model", "assistant"}, {"system", "system"},
    {"observation", "tool"},    {"tool", "tool"},       {"function_response", "tool"},
    {"tool_response", "tool"},  {"function_call", ""},  {"tool_call", ""},
};

// An object's fields as they are written; of a name that is there twice the last value counts, at
// the place of the first, as in Python.
struct RowFields {
  std::vector<std::pair<std::string, std::string>> list;

  explicit RowFields(std::string_view object) {
    for (const JsonMember& member : json_members(object)) {
      set(json_unquoted(member.name), std::string(member.value));
    }
  }
  std::string* find(std::string_view name) {
    const auto found = std::ranges::find(list, name, [](const auto& f) { return f.first; });
    return found == list.end() ? nullptr : &found->second;
  }
  // A value that is there and not null.
  std::string* some(std::string_view name) {
    std::string* value = find(name);
    return value == nullptr || *value == "null" ? nullptr : value;
  }
  void set(const std::string& name, std::string value) {
    std::string* found = find(name);
    found == nullptr ? void(list.emplace_back(name, std::move(value)))
                     : void(*found = std::move(value));
  }
  void remove(std::string_view name) {
    std::erase_if(list, [&](const auto& field) { return field.first == name; });
  }
  std::string json() const {
    std::string text;
    for (const auto& [name, value] : list) {
      text += fmt::format("{}{}: {}", text.empty() ? "{" : ", ", json_string(name), value);
    }
    return text.empty() ? "{}" : text + "}";
  }
};

bool is_list(const std::string* json) { return json != nullptr && json->starts_with('['); }
bool is_string(const std::string* json) { return json != nullptr && json->starts_with('"'); }

std::string message_of(std::string_view role, const std::string& content) {
  return fmt::format(R"({{"role": "{}", "content": {}}})", role, content);
}

// What a function_call's value says, JSON in a string or an object, as OpenAI's tool calls.
std::string call_of(const std::string& place, const std::string& value) {
  const std::string inner = value.starts_with('"') ? json_unquoted(value) : value;
  const size_t first = inner.find_first_not_of(" \t\r\n");
  std::vector<std::string> calls;
  if (first != inner.npos && inner[first] == '[') {
    for (const std::string_view call : json_entries(inner)) calls.emplace_back(call);
  } else {
    calls.push_back(inner);
  }
  std::vector<std::string> written;
  for (const std::string& call : calls) {
    if (call.find_first_not_of(" \t\r\n") == call.npos || call.find('{') == call.npos) {
      throw input_error("{}: expected a call as JSON ({{\"name\": …, \"arguments\": …}}), found {}",
                        place, printable(call));
    }
    written.push_back(fmt::format(R"({{"type": "function", "function": {}}})", call));
  }
  return fmt::format(R"({{"role": "assistant", "content": "", "tool_calls": [{}]}})",
                     join(written));
}

// A message with `from` and `value` in our names; others stay as they are.
std::string as_message(const std::string& place, std::string_view text) {
  if (!text.starts_with('{')) return std::string(text);
  RowFields message(text);
  const std::string* from = message.find("from");
  if (from == nullptr) return std::string(text);
  const std::string name = is_string(from) ? json_unquoted(*from) : *from;
  const auto speaker = std::ranges::find(speakers, name, &Speaker::from);
  if (speaker == std::end(speakers)) {
    throw input_error("{}: field \"from\": unknown speaker {}", place, printable(name))
        .with_hint(
            "known: human, gpt, system, observation, function_call, and the roles user, "
            "assistant, tool");
  }
  const std::string* value = message.find("value");
  if (value == nullptr || *value == "null") {
    throw input_error("{}: \"value\" is {}; expected what {} says", place,
                      value == nullptr ? "missing" : "null", name);
  }
  if (speaker->role.empty()) return call_of(place, *value);
  std::vector<std::pair<std::string, std::string>> list = {{"role", json_string(speaker->role)},
                                                           {"content", *value}};
  for (auto& field : message.list) {
    if (field.first != "from" && field.first != "value") list.push_back(std::move(field));
  }
  message.list = std::move(list);
  return message.json();
}

// The entries of a list of messages.
std::vector<std::string> messages_of(const std::string& place, const std::string& name,
                                     const std::string& list) {
  std::vector<std::string> messages;
  for (const std::string_view entry : json_entries(list)) {
    messages.push_back(as_message(fmt::format("{}: {}[{}]", place, name, messages.size()), entry));
  }
  return messages;
}

bool begins_with_system(const std::vector<std::string>& messages) {
  if (messages.empty() || !messages.front().starts_with('{')) return false;
  RowFields first(messages.front());
  const std::string* role = first.find("role");
  return role != nullptr && *role == "\"system\"";
}

void rename_columns(const DataRow& row, const Columns& columns, RowFields& fields) {
  RowFields before = fields;
  for (const auto& [ours, theirs] : columns) fields.remove(theirs);
  for (const auto& [ours, theirs] : columns) {
    const std::string* value = before.find(theirs);
    if (value == nullptr) {
      std::vector<std::string> names;
      for (const auto& field : before.list) names.push_back(field.first);
      throw input_error("{}: --columns {}={}: the row has no field \"{}\"; found: {}", row.place,
                        ours, theirs, theirs, names.empty() ? "no fields" : join(names));
    }
    fields.set(ours, *value);
  }
}

// The text of a field that may be missing, null or empty; null then. Anything but a text is
// refused.
const std::string* text_of(const DataRow& row, RowFields& fields, const char* name) {
  const std::string* value = fields.some(name);
  if (value == nullptr || *value == "\"\"") return nullptr;
  if (!is_string(value)) {
    throw input_error("{}: field \"{}\": expected a text, found {}", row.place, name,
                      printable(*value));
  }
  return value;
}

bool read_sharegpt(const DataRow& row, RowFields& fields) {
  bool changed = false;
  const std::string* turns = fields.some("conversations");
  if (turns != nullptr && !is_list(turns) && fields.some("messages") == nullptr) {
    throw input_error("{}: field \"conversations\": expected a list of messages, found {}",
                      row.place, printable(*turns));
  }
  if (is_list(fields.find("conversations")) && fields.some("messages") == nullptr) {
    std::vector<std::string> messages =
        messages_of(row.place, "conversations", *fields.find("conversations"));
    const std::string* system = text_of(row, fields, "system");
    if (system != nullptr && !begins_with_system(messages)) {
      messages.insert(messages.begin(), message_of("system", *system));
    }
    fields.remove("conversations");
    fields.remove("system");
    fields.set("messages", "[" + join(messages) + "]");
    changed = true;
  }
  for (const char* name : {"messages", "prompt", "completion", "teacher_prompt"}) {
    std::string* list = fields.find(name);
    if (!is_list(list) || list->find("\"from\"") == list->npos) continue;
    *list = "[" + join(messages_of(row.place, name, *list)) + "]";
    changed = true;
  }
  return changed;
}

bool is_alpaca(RowFields& fields, bool texts) {
  if (texts && fields.some("text") != nullptr) return false;
  return is_string(fields.find("instruction")) && fields.find("output") != nullptr &&
         fields.some("prompt") == nullptr && fields.some("messages") == nullptr &&
         fields.some("completion") == nullptr;
}

// `history` holds pairs of a question and its answer.
void add_history(const DataRow& row, RowFields& fields, std::vector<std::string>& messages) {
  const std::string* history = fields.some("history");
  if (history == nullptr) return;
  if (!is_list(history)) {
    throw input_error("{}: field \"history\": expected a list of pairs, found {}", row.place,
                      printable(*history));
  }
  for (const std::string_view pair : json_entries(*history)) {
    const auto turn = pair.starts_with('[') ? json_entries(pair) : std::vector<std::string_view>{};
    if (turn.size() != 2) {
      throw input_error("{}: field \"history\": expected pairs of two texts, found {}", row.place,
                        printable(pair));
    }
    messages.push_back(message_of("user", std::string(turn[0])));
    messages.push_back(message_of("assistant", std::string(turn[1])));
  }
}

void read_alpaca(const DataRow& row, bool conversational, RowFields& fields) {
  std::string question = *fields.find("instruction");
  if (const std::string* input = text_of(row, fields, "input")) {
    const bool alone = question == "\"\"";
    question.pop_back();
    question += (alone ? "" : "\\n") + input->substr(1);
  }
  const std::string output = *fields.find("output");
  if (!is_string(&output)) {
    throw input_error("{}: field \"output\" is {}; expected a text", row.place, printable(output));
  }
  std::vector<std::string> messages;
  const std::string* system = text_of(row, fields, "system");
  const bool has_system = system != nullptr;
  if (has_system) messages.push_back(message_of("system", *system));
  add_history(row, fields, messages);
  if (!conversational && !messages.empty()) {
    throw input_error("{}: the row has \"{}\", but here the rows must be plain text", row.place,
                      has_system ? "system" : "history");
  }
  for (const char* name : {"instruction", "input", "output", "system", "history"}) {
    fields.remove(name);
  }
  if (!conversational) {
    fields.set("prompt", question);
    fields.set("completion", output);
    return;
  }
  messages.push_back(message_of("user", question));
  messages.push_back(message_of("assistant", output));
  fields.remove("prompt");
  fields.set("messages", "[" + join(messages) + "]");
}

}  // namespace

Columns parse_columns(const std::vector<std::string>& words) {
  Columns columns;
  for (const std::string& word : words) {
    for (size_t at = 0; at <= word.size();) {
      const size_t comma = std::min(word.find(',', at), word.size());
      const std::string pair = word.substr(at, comma - at);
      at = comma + 1;
      const size_t equals = pair.find('=');
      if (equals == pair.npos || equals == 0 || equals + 1 == pair.size()) {
        throw input_error("--columns: expected OURS=THEIRS, found '{}'", pair)
            .with_hint("--columns prompt=question,completion=answer");
      }
      const std::string ours = pair.substr(0, equals);
      if (std::ranges::find(our_names, ours) == our_names.end()) {
        const std::string near = nearest_name(ours, our_names);
        throw input_error("--columns: '{}' is no field that is read; these are: {}", ours,
                          join(our_names))
            .with_hint(near.empty() ? "" : fmt::format("did you mean '{}'?", near));
      }
      if (std::ranges::find(columns, ours, &Columns::value_type::first) != columns.end()) {
        throw input_error("--columns: '{}' is given twice", ours);
      }
      columns.emplace_back(ours, pair.substr(equals + 1));
    }
  }
  return columns;
}

std::optional<std::string> in_our_names(const DataRow& row, const Columns& columns,
                                        bool conversational, bool texts) {
  const bool named = row.text.find("\"conversations\"") != row.text.npos ||
                     row.text.find("\"from\"") != row.text.npos ||
                     row.text.find("\"instruction\"") != row.text.npos;
  if (columns.empty() && !named) return {};
  RowFields fields(row.text);
  bool changed = !columns.empty();
  if (changed) rename_columns(row, columns, fields);
  changed |= read_sharegpt(row, fields);
  if (is_alpaca(fields, texts)) {
    read_alpaca(row, conversational, fields);
    changed = true;
  }
  if (!changed) return {};
  return fields.json();
}

}  // namespace alambic
