#include "alambic/text/dataset.h"

#include <algorithm>
#include <numeric>

#include "alambic/base/json_nan.h"
#include "alambic/base/json_view.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/text/data/answers.h"
#include "alambic/text/data/file_kind.h"
#include "alambic/text/data/json_text.h"

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

// A field that is asked for and is there, but null.
std::optional<std::string> null_field(const JsonView& row, const std::vector<Fields>& any_of) {
  for (const auto [name, value] : row.object()) {
    if (!value.is_null() || row.find(name)) continue;
    if (name == "conversations") return std::string(name);
    for (const Fields& fields : any_of) {
      if (std::ranges::count(fields, name) > 0) return std::string(name);
    }
  }
  return std::nullopt;
}

Error missing_fields(const JsonView& row, const std::vector<Fields>& any_of) {
  std::vector<std::string> found;
  for (const auto [name, value] : row.object()) found.push_back(printable(name));
  if (const auto name = null_field(row, any_of)) {
    return input_error(
               "{}: field \"{}\" is null; expected {}", row.file(), *name,
               *name == "messages" || *name == "conversations" ? "a list of messages" : "a text")
        .with_hint("fill it in, or remove the row");
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
      .with_hint(fmt::format("each row needs {}; --columns OURS=THEIRS says which of the data's "
                             "fields that is",
                             describe(any_of)));
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

// The names of the fields that are read, by the data's names for them.
bool is_read(const std::string& name, const Columns& columns) {
  constexpr std::string_view nested[] = {"messages", "prompt",         "completion",
                                         "tools",    "conversations",  "chat_template_kwargs",
                                         "answer",   "teacher_prompt", "history"};
  return std::ranges::find(nested, name) != std::end(nested) ||
         std::ranges::find(columns, name, &Columns::value_type::second) != columns.end();
}

// Python writes NaN and Infinity, which JSON does not have. As a field's whole value, as pandas
// writes what is missing, they are null; within a field that is read they are refused.
std::string without_nan(const DataRow& row, const Columns& columns) {
  for (const JsonMember& member : json_members(row.text)) {
    const bool nested = member.value.starts_with('{') || member.value.starts_with('[');
    const std::string name = json_unquoted(member.name);
    if (!nested || !is_read(name, columns) || !has_json_nan(member.value)) continue;
    throw input_error("{}: field \"{}\" has NaN or Infinity in it, which are no JSON values",
                      row.place, printable(name))
        .with_hint("write null or a string in its place");
  }
  return json_nan_as_null(row.text);
}

JsonFile parse_row(const DataRow& row) {
  check_row_is_text(row.place, row.text);
  if (!row.text.starts_with('{') && !row.text.starts_with('[')) {
    throw input_error("{}: expected an object, found {}", row.place, printable(row.text))
        .with_hint(
            "a row is a JSON object, as {\"prompt\": \"…\"}; one per line, or a list of them");
  }
  return JsonFile::parse(row.place, row.text);
}

// A row of plain text: a .txt file, or a string in a list of strings.
std::optional<std::string> plain_text(const DataRow& row) {
  if (row.plain) return std::string(row.text);
  if (!row.text.starts_with('"')) return std::nullopt;
  check_row_is_text(row.place, row.text);
  const JsonFile json = JsonFile::parse(row.place, row.text);
  return std::string(json.root().string());
}

struct ParsedRow {
  std::string text;  // the row in our names
  JsonFile json;

  // The value of a field as it is written.
  std::string_view raw(std::string_view name) const {
    std::string_view value;
    for (const JsonMember& member : json_members(text)) {
      if (json_unquoted(member.name) == name) value = member.value;
    }
    return value;
  }
};

ParsedRow parse_in_our_names(DataRow row, const Columns& columns, bool conversational, bool texts) {
  std::string kept;
  if (has_json_nan(row.text)) row.text = kept = without_nan(row, columns);
  JsonFile json = parse_row(row);
  if (json.root().is_array()) {
    throw input_error("{}: expected an object, found a list", row.place)
        .with_hint("write one object per line, or one list around all of them");
  }
  if (auto ours = in_our_names(row, columns, conversational, texts)) {
    json = JsonFile::parse(row.place, *ours);
    return {std::move(*ours), std::move(json)};
  }
  return {std::string(row.text), std::move(json)};
}

Example read_row(const DataRow& place, const std::vector<Fields>& any_of, const Columns& columns,
                 const ChatReader& chats) {
  Example example{.place = place.place};
  example.text = plain_text(place);
  if (example.text) {
    if (std::ranges::count(any_of, Fields{"text"}) == 0) {
      throw input_error("{} is plain text; expected rows with {}", place.place, describe(any_of));
    }
    return example;
  }
  const ParsedRow parsed =
      parse_in_our_names(place, columns, chats.chat_template != nullptr,
                         /*texts=*/any_of.size() == 1 && any_of[0] == Fields{"text"});
  const JsonView row = parsed.json.root();
  const auto has = [&row](const std::string& name) { return row.find(name).has_value(); };
  const auto complete = [&](const Fields& fields) { return std::ranges::all_of(fields, has); };
  if (std::ranges::none_of(any_of, complete)) throw missing_fields(row, any_of);
  const auto read = [&row](const char* name) -> std::optional<std::string> {
    const auto field = row.find(name);
    if (!field) return std::nullopt;
    return std::string(field->string());
  };
  const auto prompt = row.find("prompt");
  if ((prompt && prompt->is_array()) ||
      (has("messages") && std::ranges::count(any_of, Fields{"messages"}) > 0)) {
    add_chat(example, row, chats);
  } else {
    example.prompt = read("prompt").value_or("");
    example.completion = read("completion");
  }
  if (has("answer")) example.answers = read_answers(place.place, parsed.raw("answer"));
  example.text = read("text");
  example.teacher = read("teacher");
  const auto teacher_prompt = row.find("teacher_prompt");
  example.teacher_chat = teacher_prompt && teacher_prompt->is_array();
  if (example.teacher_chat) {
    example.teacher_prompt =
        write(chats, example.place, read_chat_prompt(*teacher_prompt), ChatUse::prompts).prompt;
  } else {
    example.teacher_prompt = read("teacher_prompt");
  }
  return example;
}

}  // namespace

bool Dataset::holds_text() const {
  const DataRow first = rows.row(0);
  if (first.plain || first.text.starts_with('"')) return true;
  const ParsedRow parsed = parse_in_our_names(first, columns, true, /*texts=*/true);
  const JsonView row = parsed.json.root();
  // Null too: what there is to read is a text, and that is told.
  const bool text = !row.element()["text"].error();
  return text && !row.find("prompt") && !row.find("messages");
}

Example Examples::operator[](size_t i) const {
  return read_row(data_.rows.row(at(i)), any_of_, data_.columns, chats_);
}

void Examples::check() const {
  for (size_t i = 0; i < size(); ++i) (*this)[i];
}

bool Examples::may_have(size_t i, const std::string& field) const {
  const DataRow row = data_.rows.row(at(i));
  const auto renamed = std::ranges::find(data_.columns, field, &Columns::value_type::first);
  const std::string& name = renamed == data_.columns.end() ? field : renamed->second;
  return !row.plain && row.text.find(name) != row.text.npos;
}

Examples Examples::limit(size_t rows) const {
  if (rows >= size()) return *this;
  std::vector<uint32_t> first(rows);
  std::iota(first.begin(), first.end(), 0);
  return select(std::move(first));
}

Examples Examples::select(std::vector<uint32_t> rows) const {
  for (uint32_t& row : rows) row = static_cast<uint32_t>(at(row));
  Examples selected = *this;
  selected.chosen_ = std::make_shared<const std::vector<uint32_t>>(std::move(rows));
  return selected;
}

std::vector<RowShare> Examples::shares() const {
  std::vector<RowShare> shares = data_.rows.shares();
  if (!chosen_) return shares;
  int64_t first = 0;
  for (RowShare& share : shares) {
    const int64_t end = first + share.rows;
    share.rows =
        std::ranges::count_if(*chosen_, [&](int64_t row) { return row >= first && row < end; });
    first = end;
  }
  return shares;
}

std::vector<Example> Examples::first(size_t count) const {
  if (count == 0 || count > size()) count = size();
  std::vector<Example> rows;
  rows.reserve(count);
  for (size_t i = 0; i < count; ++i) rows.push_back((*this)[i]);
  return rows;
}

std::vector<Example> read_examples(const std::string& name, const std::vector<Fields>& any_of,
                                   const ChatReader& chats) {
  return Examples(Dataset::open(name), any_of, chats).first(0);
}

}  // namespace alambic
