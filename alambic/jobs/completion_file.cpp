#include "alambic/jobs/completion_file.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/report/append_file.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

/// A line that cannot be cut off: it is not the last.
Error bad_line(const fs::path& path, size_t number, const std::string& what) {
  return input_error("{}:{}: {}", path.string(), number, what)
      .with_hint("remove this file, and the completions are written again");
}

void check_made(const fs::path& path, const Json& found, const Json& made) {
  for (const auto& [key, value] : made.items()) {
    const Json there = found.contains(key) ? found[key] : Json();
    if (there == value) continue;
    throw input_error("{} holds completions that were made differently: {} is {} there, {} here",
                      path.string(), key, there.dump(), value.dump())
        .with_hint("name another file with --teacher-completions");
  }
}

// Before anything is cut off or added: a file of something else stays as it is. One that a crash
// has torn within its first line begins as ours do.
void check_own(const fs::path& path, const std::string& text, const Json& made) {
  const size_t end = text.find('\n');
  if (end == text.npos) {
    const std::string begin = R"({"form":)" + made.at("form").dump();
    if (text.starts_with(begin) || begin.starts_with(text)) return;
  }
  const Json line = Json::parse(text.substr(0, end), nullptr, false);
  if (end == text.npos || !line.is_object()) {
    throw input_error(
        "{} holds no completions of a teacher: its first line should say how they "
        "were made",
        path.string())
        .with_hint("name a new file with --teacher-completions; this one is left as it is");
  }
  check_made(path, line, made);
}

// 0 in lines of a teacher that is no server.
int64_t count_of(const Json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number_integer()) return 0;
  return std::max<int64_t>(0, found->get<int64_t>());
}

}  // namespace

CompletionFile::CompletionFile(fs::path path, const Json& made) : path_(std::move(path)) {
  if (path_.empty()) return;
  if (path_exists(path_)) read(read_file(path_), made);
  // A file that was torn before its first line ended is begun anew.
  if (!path_exists(path_) || file_bytes(path_) == 0) {
    if (path_.has_parent_path()) make_folder(path_.parent_path());
    write_file(path_, made.dump() + "\n");
  }
}

void CompletionFile::read(std::string text, const Json& made) {
  check_own(path_, text, made);
  const size_t whole = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  if (whole < text.size()) {
    warn("{}: the last line was cut short and is left out", path_.string());
    set_file_bytes(path_, whole);
    text.resize(whole);
  }
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const Json line = Json::parse(text.begin() + begin, text.begin() + end, nullptr, false);
    begin = end + 1;
    if (++number == 1) continue;  // the header
    if (!line.is_object()) throw bad_line(path_, number, "expected a JSON object");
    add_line(line, number);
  }
}

void CompletionFile::add_line(const Json& line, size_t number) {
  const auto is_ids = [&](const char* key) {
    return line.contains(key) && line[key].is_array() &&
           std::ranges::all_of(line[key], [](const Json& id) { return id.is_number_integer(); });
  };
  for (const char* key : {"prompt_tokens", "tokens"}) {
    if (!is_ids(key)) {
      throw bad_line(path_, number, fmt::format("expected a list of token ids as \"{}\"", key));
    }
  }
  if (!line.contains("teacher") || !line["teacher"].is_string()) {
    throw bad_line(path_, number, "expected a text as \"teacher\"");
  }
  if (!line.contains("ended") || !line["ended"].is_boolean()) {
    throw bad_line(path_, number, "expected true or false as \"ended\"");
  }
  completions_[{line["teacher"], line["prompt_tokens"]}] = {
      .tokens = line["tokens"],
      .ended = line["ended"],
      .usage = {.input_tokens = count_of(line, "input_tokens"),
                .output_tokens = count_of(line, "output_tokens")}};
}

const KeptCompletion* CompletionFile::find(const std::string& teacher,
                                           const std::vector<int32_t>& prompt) const {
  const auto found = completions_.find({teacher, prompt});
  return found == completions_.end() ? nullptr : &found->second;
}

JournalUsage CompletionFile::spent(const std::string& teacher) const {
  JournalUsage spent;
  for (const auto& [key, completion] : completions_) {
    if (key.first != teacher || completion.usage == Usage()) continue;
    spent.usage += completion.usage;
    ++spent.replies;
  }
  return spent;
}

void CompletionFile::add(const std::string& teacher, const std::vector<int32_t>& prompt,
                         const std::string& prompt_text, const std::string& text,
                         KeptCompletion completion) {
  if (!path_.empty()) {
    Json line = {{"teacher", teacher},      {"prompt", prompt_text},
                 {"completion", text},      {"ended", completion.ended},
                 {"prompt_tokens", prompt}, {"tokens", completion.tokens}};
    if (completion.usage != Usage()) {
      line["input_tokens"] = completion.usage.input_tokens;
      line["output_tokens"] = completion.usage.output_tokens;
    }
    AppendFile(path_).append(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  completions_[{teacher, prompt}] = std::move(completion);
}

}  // namespace alambic
