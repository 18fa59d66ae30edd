#include "alambic/text/dataset.h"

#include <algorithm>

#include "alambic/base/names.h"
#include "alambic/text/json_view.h"

namespace alambic {
namespace {

std::string describe(const std::vector<Fields>& any_of) {
  std::vector<std::string> ways;
  for (const Fields& fields : any_of) ways.push_back('"' + join(fields, "\" and \"") + '"');
  return join(ways, ", or ");
}

Error missing_fields(const JsonView& row, const std::vector<Fields>& any_of) {
  std::vector<std::string> found;
  for (const auto [name, value] : row.object()) found.emplace_back(name);
  const auto has = [&](const char* name) { return std::ranges::count(found, name) > 0; };
  if (has("messages") || has("conversations")) {
    return input_error("{}: the row is a conversation (\"{}\"); chat templates are not built yet",
                       row.file(), has("messages") ? "messages" : "conversations")
        .with_hint("render the conversations to text first, as \"prompt\" and \"completion\"");
  }
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

Example read_row(const std::string& place, std::string_view line,
                 const std::vector<Fields>& any_of) {
  const JsonFile json = JsonFile::parse(place, line);
  const JsonView row = json.root();
  if (row.is_array()) {
    throw input_error("{}: expected an object, found a list", place)
        .with_hint("write one object per line, without a list around them (jsonl)");
  }
  if (!row.is_object()) throw row.wrong("expected an object");
  const bool complete = std::ranges::any_of(any_of, [&](const Fields& fields) {
    return std::ranges::all_of(fields,
                               [&](const std::string& name) { return row.find(name).has_value(); });
  });
  if (!complete) throw missing_fields(row, any_of);
  const auto read = [&row](const char* name) -> std::optional<std::string> {
    const auto field = row.find(name);
    if (!field) return std::nullopt;
    if (field->is_array()) {
      throw field->wrong("a list of messages; chat templates are not built yet: expected a string");
    }
    return std::string(field->string());
  };
  Example example;
  example.prompt = read("prompt").value_or("");
  example.completion = read("completion");
  example.answer = read("answer");
  example.text = read("text");
  example.teacher = read("teacher");
  example.teacher_prompt = read("teacher_prompt");
  return example;
}

std::vector<Example> read_jsonl(const fs::path& path, std::string_view bytes,
                                const std::vector<Fields>& any_of) {
  std::vector<Example> examples;
  int64_t number = 0;
  while (!bytes.empty()) {
    const std::string_view line = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(bytes.size(), line.size() + 1));
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    const std::string place = fmt::format("{}:{}", path.string(), number);
    examples.push_back(read_row(place, line, any_of));
    examples.back().line = number;
  }
  return examples;
}

}  // namespace

std::vector<Example> read_examples(const fs::path& path, const std::vector<Fields>& any_of) {
  const std::string file = read_file(path);
  std::string_view bytes = file;
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
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
  std::vector<Example> examples = read_jsonl(path, bytes, any_of);
  if (examples.empty()) throw input_error("{} has no rows", path.string());
  return examples;
}

}  // namespace alambic
