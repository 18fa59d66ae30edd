#include "alambic/text/dataset.h"

#include <algorithm>

#include "alambic/base/json_view.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

std::string describe(const std::vector<Fields>& any_of) {
  std::vector<std::string> ways;
  for (const Fields& fields : any_of) ways.push_back('"' + join(fields, "\" and \"") + '"');
  return join(ways, ", or ");
}

Error refused_chat(const std::string& place) {
  return input_error("{}: the row is a conversation, but here the rows must be plain text", place)
      .with_hint("write \"prompt\" and \"completion\" as strings");
}

Error missing_fields(const JsonView& row, const std::vector<Fields>& any_of) {
  std::vector<std::string> found;
  for (const auto [name, value] : row.object()) found.emplace_back(name);
  if (std::ranges::count(found, "conversations") > 0) {
    return input_error("{}: the row is a conversation in \"conversations\"; expected \"messages\"",
                       row.file())
        .with_hint("write it as {\"messages\": [{\"role\": \"user\", \"content\": …}, …]}");
  }
  if (std::ranges::count(found, "messages") > 0) return refused_chat(row.file());
  std::string missing = "expected " + describe(any_of);
  if (any_of.size() == 1) {
    const auto absent = std::ranges::find_if(
        any_of.front(), [&](const std::string& name) { return !row.find(name); });
    missing = fmt::format("no field \"{}\"", *absent);
  }
  return input_error("{}: {}; found: {}", row.file(), missing,
                     found.empty() ? "no fields" : join(found))
      .with_hint(fmt::format("rename the data's fields: each row needs {}", describe(any_of)));
}

// The text that the template writes of a conversation; its errors name the line.
ChatText write(const ChatReader& chats, const std::string& place, const Chat& chat, ChatUse use) {
  if (!chats.chat_template) throw refused_chat(place);
  try {
    return write_chat(chats.chat_template(), chat, use);
  } catch (const Error& error) {
    throw input_error("{}: {}", place, error.what()).with_hint(error.hint());
  }
}

void add_chat(Example& example, const JsonView& row, const ChatReader& chats) {
  if (!chats.chat_template) throw refused_chat(row.file());
  auto chat = std::make_shared<Chat>(read_chat(row));
  chat->written = write(chats, row.file(), *chat, chats.use);
  example.prompt = chat->written.prompt;
  if (chat->has_completion()) example.completion = plain_text(chat->messages[chat->completion]);
  example.chat = std::move(chat);
}

Example read_row(const std::string& place, std::string_view line, const std::vector<Fields>& any_of,
                 const ChatReader& chats) {
  const JsonFile json = JsonFile::parse(place, line);
  const JsonView row = json.root();
  if (row.is_array()) {
    throw input_error("{}: expected an object, found a list", place)
        .with_hint("write one object per line, without a list around them (jsonl)");
  }
  if (!row.is_object()) throw row.wrong("expected an object");
  const auto has = [&row](const std::string& name) { return row.find(name).has_value(); };
  const auto complete = [&](const Fields& fields) { return std::ranges::all_of(fields, has); };
  if (std::ranges::none_of(any_of, complete)) throw missing_fields(row, any_of);
  const auto read = [&row](const char* name) -> std::optional<std::string> {
    const auto field = row.find(name);
    if (!field) return std::nullopt;
    return std::string(field->string());
  };
  Example example;
  const auto prompt = row.find("prompt");
  if ((prompt && prompt->is_array()) ||
      (has("messages") && std::ranges::count(any_of, Fields{"messages"}) > 0)) {
    add_chat(example, row, chats);
  } else {
    example.prompt = read("prompt").value_or("");
    example.completion = read("completion");
  }
  example.answer = read("answer");
  example.text = read("text");
  example.teacher = read("teacher");
  const auto teacher_prompt = row.find("teacher_prompt");
  example.teacher_chat = teacher_prompt && teacher_prompt->is_array();
  if (example.teacher_chat) {
    example.teacher_prompt =
        write(chats, place, read_chat_prompt(*teacher_prompt), ChatUse::prompts).prompt;
  } else {
    example.teacher_prompt = read("teacher_prompt");
  }
  return example;
}

// Calls visit(line, its number) for the lines that are not blank until it returns false.
template <class Visit>
void for_each_row(std::string_view bytes, const Visit& visit) {
  int64_t number = 0;
  while (!bytes.empty()) {
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(bytes.size(), line.size() + 1));
    ++number;
    if (line.find_first_not_of(" \t\r") != line.npos && !visit(line, number)) return;
  }
}

std::string_view without_mark(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  return bytes;
}

}  // namespace

std::vector<Example> read_examples(const fs::path& path, const std::vector<Fields>& any_of,
                                   const ChatReader& chats) {
  const std::string file = read_file(path);
  const std::string_view bytes = without_mark(file);
  if (path.extension() == ".txt") {
    if (bytes.empty()) throw input_error("{} is empty", path.string());
    if (std::ranges::count(any_of, Fields{"text"}) == 0) {
      throw input_error("{} is plain text; this needs a jsonl file whose rows have {}",
                        path.string(), describe(any_of));
    }
    Example example;
    example.text = std::string(bytes);
    return {example};
  }
  std::vector<Example> examples;
  for_each_row(bytes, [&](std::string_view line, int64_t number) {
    examples.push_back(read_row(fmt::format("{}:{}", path.string(), number), line, any_of, chats));
    examples.back().line = number;
    return true;
  });
  if (examples.empty()) throw input_error("{} has no rows", path.string());
  return examples;
}

bool holds_text(const fs::path& path) {
  if (path.extension() == ".txt") return true;
  bool text = false;
  const std::string file = read_file(path);
  for_each_row(without_mark(file), [&](std::string_view line, int64_t number) {
    const JsonFile json = JsonFile::parse(fmt::format("{}:{}", path.string(), number), line);
    const JsonView row = json.root();
    text = row.is_object() && row.find("text") && !row.find("prompt") && !row.find("messages");
    return false;
  });
  return text;
}

}  // namespace alambic
