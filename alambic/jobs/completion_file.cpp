#include "alambic/jobs/completion_file.h"

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
    ++number;
    if (!line.is_object()) throw bad_line(path_, number, "expected a JSON object");
    if (number == 1) {
      check_made(path_, line, made);
      continue;
    }
    try {
      completions_[{line.at("teacher"), line.at("prompt_tokens")}] = {.tokens = line.at("tokens"),
                                                                      .ended = line.at("ended")};
    } catch (const Json::exception& error) {
      throw bad_line(path_, number, error.what());
    }
  }
}

const KeptCompletion* CompletionFile::find(const std::string& teacher,
                                           const std::vector<int32_t>& prompt) const {
  const auto found = completions_.find({teacher, prompt});
  return found == completions_.end() ? nullptr : &found->second;
}

void CompletionFile::add(const std::string& teacher, const std::vector<int32_t>& prompt,
                         const std::string& prompt_text, const std::string& text,
                         KeptCompletion completion) {
  if (!path_.empty()) {
    const Json line = {{"teacher", teacher},      {"prompt", prompt_text},
                       {"completion", text},      {"ended", completion.ended},
                       {"prompt_tokens", prompt}, {"tokens", completion.tokens}};
    AppendFile(path_).append(line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  completions_[{teacher, prompt}] = std::move(completion);
}

}  // namespace alambic
