#include "alambic/hub/hub_name.h"

#include <algorithm>

namespace alambic {

namespace {

constexpr std::string_view prefix = "models--";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.';
}

// As the hub has it: no leading '-' or '.', no ".." and no "--", which separates the two in
// folders.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 96 && std::ranges::all_of(text, is_plain) &&
         text.front() != '-' && text.front() != '.' && text.find("..") == text.npos &&
         text.find("--") == text.npos;
}

bool is_revision(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) { return is_plain(c) || c == '/'; });
  return !text.empty() && text.size() <= 255 && plain && text.front() != '/' &&
         text.front() != '.' && text.find("..") == text.npos;
}

}  // namespace

std::optional<HubName> parse_hub_name(std::string_view text) {
  const size_t slash = text.find('/'), at = std::min(text.find('@'), text.size());
  if (slash == text.npos || slash > at) return {};
  HubName name{.id = std::string(text.substr(0, at))};
  if (!is_word(text.substr(0, slash)) || !is_word(text.substr(slash + 1, at - slash - 1))) {
    return {};
  }
  if (at < text.size()) {
    name.revision = text.substr(at + 1);
    if (!is_revision(name.revision)) return {};
  }
  return name;
}

std::string hub_folder_name(const std::string& id, HubKind kind) {
  const size_t slash = id.find('/');
  const std::string_view begin = kind == HubKind::model ? prefix : "datasets--";
  return std::string(begin) + id.substr(0, slash) + "--" + id.substr(slash + 1);
}

std::string hub_name_of(const fs::path& snapshot) {
  const std::string commit = snapshot.filename().string();
  const fs::path snapshots = snapshot.parent_path();
  const std::string folder = snapshots.parent_path().filename().string();
  if (!is_commit(commit) || snapshots.filename() != "snapshots" || !folder.starts_with(prefix)) {
    return "";
  }
  std::string id = folder.substr(prefix.size());
  const size_t between = id.find("--");
  if (between == id.npos) return "";
  return id.replace(between, 2, "/") + "@" + commit;
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

}  // namespace alambic
