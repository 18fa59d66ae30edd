#include "alambic/io/data_card.h"

#include <algorithm>
#include <array>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/block_yaml.h"

namespace alambic {

namespace {

using Kind = YamlValue::Kind;

// Keys of a configuration that change no row.
constexpr std::array plain_keys = {"config_name",   "data_files",  "data_dir",
                                   "default",       "version",     "description",
                                   "drop_metadata", "drop_labels", "features"};

// The lines between the first two lines of three dashes; where the second line of them begins.
std::string_view head_of(std::string_view readme) {
  const std::string_view mark = "\xEF\xBB\xBF";
  if (readme.starts_with(mark)) readme.remove_prefix(mark.size());
  if (!readme.starts_with("---")) return "";
  const size_t begin = readme.find('\n');
  if (begin == readme.npos) return "";
  const size_t end = readme.find("\n---", begin);
  return end == readme.npos ? "" : readme.substr(begin + 1, end - begin);
}

struct Card {
  const std::string& where;

  Error wrong(const std::string& key, const char* expected) const {
    return input_error("{}: configs: \"{}\" should be {}", where, printable(key), expected)
        .with_hint("name the data files themselves: --data FILE");
  }

  std::string text_of(const YamlValue& value, const std::string& key) const {
    if (value.kind != Kind::text) throw wrong(key, "a text");
    return value.text;
  }

  std::vector<std::string> paths_of(const YamlValue& value) const {
    std::vector<std::string> paths;
    if (value.kind == Kind::list) {
      for (const YamlValue& item : value.items) paths.push_back(text_of(item, "path"));
    } else {
      paths.push_back(text_of(value, "path"));
    }
    for (std::string& path : paths) {
      if (path.starts_with("./")) path.erase(0, 2);
      const bool leaves =
          path.starts_with('/') || path.find("..") != path.npos || path.find("://") != path.npos;
      constexpr size_t longest = 4096;  // of a path of the system
      if (leaves || path.empty() || path.size() > longest)
        throw wrong("path", "one within the data set");
    }
    return paths;
  }

  void read_files(const YamlValue& files, DataConfiguration& configuration) const {
    if (files.kind == Kind::mapping) throw wrong("data_files", "a text or a list");
    const bool splits =
        files.kind == Kind::list && !files.items.empty() && files.items[0].kind == Kind::mapping;
    if (!splits) {
      configuration.splits.emplace_back("train", paths_of(files));
      return;
    }
    for (const YamlValue& item : files.items) {
      const YamlValue *split = item.find("split"), *path = item.find("path");
      if (split == nullptr || path == nullptr) {
        throw wrong("data_files", "a list of entries with split and path");
      }
      configuration.splits.emplace_back(text_of(*split, "split"), paths_of(*path));
    }
  }

  DataConfiguration configuration_of(const YamlValue& entry) const {
    if (entry.kind != Kind::mapping) throw wrong("configs", "a list of entries with config_name");
    DataConfiguration configuration;
    for (size_t i = 0; i < entry.keys.size(); ++i) {
      const std::string& key = entry.keys[i];
      const YamlValue& value = entry.items[i];
      if (key == "config_name") configuration.name = text_of(value, key);
      if (key == "data_dir") configuration.folder = text_of(value, key);
      if (key == "default") configuration.is_default = text_of(value, key) == "true";
      if (key == "data_files") read_files(value, configuration);
      if (std::ranges::find(plain_keys, key) == plain_keys.end()) configuration.unread = key;
    }
    std::string& folder = configuration.folder;
    if (folder.starts_with("./")) folder.erase(0, 2);
    while (folder.ends_with('/')) folder.pop_back();
    if (folder == ".") folder.clear();
    if (folder.starts_with('/') || folder.find("..") != folder.npos) {
      throw wrong("data_dir", "a folder within the data set");
    }
    return configuration;
  }
};

// "[abc]", "[!a-c]" at the pattern's beginning; false: no such set.
bool matches_set(std::string_view& pattern, char c) {
  const size_t end = pattern.find(']', 2);
  if (end == pattern.npos) return false;
  std::string_view set = pattern.substr(1, end - 1);
  const bool other = set.starts_with('!') || set.starts_with('^');
  if (other) set.remove_prefix(1);
  bool found = false;
  for (size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found |= set[i] <= c && c <= set[i + 2];
      i += 2;
    } else {
      found |= set[i] == c;
    }
  }
  pattern.remove_prefix(end + 1);
  return found != other && c != '/';
}

// A pattern on a path; what did not match from one place in both is not tried again, or a pattern
// of many stars would take forever.
class Match {
 public:
  Match(std::string_view pattern, std::string_view path)
      : pattern_(pattern), path_(path), failed_((pattern.size() + 1) * (path.size() + 1), false) {}

  bool from(size_t i, size_t j) {
    if (i == pattern_.size()) return j == path_.size();
    const size_t place = i * (path_.size() + 1) + j;
    if (failed_[place]) return false;
    const bool found = try_from(i, j);
    failed_[place] = !found;
    return found;
  }

 private:
  bool try_from(size_t i, size_t j) {
    std::string_view pattern = pattern_.substr(i);
    if (pattern.starts_with("**/") && from(i + 3, j)) return true;
    if (pattern.front() == '*') {
      const bool deep = pattern.starts_with("**");
      for (size_t end = j; end <= path_.size(); ++end) {
        if (from(i + (deep ? 2 : 1), end)) return true;
        if (end < path_.size() && path_[end] == '/' && !deep) return false;
      }
      return false;
    }
    if (j == path_.size()) return false;
    if (pattern.front() == '[' && pattern.find(']', 2) != pattern.npos) {
      return matches_set(pattern, path_[j]) && from(pattern_.size() - pattern.size(), j + 1);
    }
    const bool any = pattern.front() == '?' && path_[j] != '/';
    return (any || pattern.front() == path_[j]) && from(i + 1, j + 1);
  }

  std::string_view pattern_, path_;
  std::vector<bool> failed_;
};

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t slash = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, slash));
    if (slash == path.size()) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool is_hidden(std::string_view part) { return part.starts_with('.') || part.starts_with("__"); }

}  // namespace

std::vector<DataConfiguration> data_configurations(std::string_view readme,
                                                   const std::string& where) {
  const std::string_view head = head_of(readme);
  const YamlValue configs = yaml_member(head, "configs", where, /*first_line=*/2);
  const Card card{where};
  std::vector<DataConfiguration> configurations;
  if (configs.kind == Kind::text && configs.text.empty()) return configurations;
  if (configs.kind != Kind::list) throw card.wrong("configs", "a list");
  for (const YamlValue& entry : configs.items) {
    configurations.push_back(card.configuration_of(entry));
    if (configurations.back().name.empty()) configurations.back().name = "default";
  }
  return configurations;
}

bool matches_path(std::string_view pattern, std::string_view path) {
  if (!Match(pattern, path).from(0, 0)) return false;
  const std::vector<std::string_view> named = parts_of(pattern);
  const auto hidden = [](const auto& parts) { return std::ranges::count_if(parts, is_hidden); };
  return hidden(parts_of(path)) <= hidden(named);
}

}  // namespace alambic
