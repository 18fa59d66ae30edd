#include "alambic/io/data_folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/io/data_card.h"

namespace alambic {

namespace {

struct SplitWord {
  std::string_view word, split;
};

// The words of datasets/data_files.py.
constexpr SplitWord split_words[] = {
    {"train", "train"},      {"training", "train"}, {"validation", "validation"},
    {"valid", "validation"}, {"dev", "validation"}, {"val", "validation"},
    {"test", "test"},        {"testing", "test"},   {"eval", "test"},
    {"evaluation", "test"},
};

constexpr std::array described_by = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json",
                                     "state.json",        "requirements.txt",   "LICENSE.txt"};

// "JSON", "text", "CSV", "Parquet", "Arrow"; empty: not data.
std::string_view kind_of(const fs::path& path) {
  fs::path name = path.filename();
  const std::string packed = name.extension().string();
  if (packed == ".gz" || packed == ".zst" || packed == ".zstd") name.replace_extension();
  const std::string extension = name.extension().string();
  if (std::ranges::find(described_by, name.string()) != described_by.end()) return "";
  if (extension == ".jsonl" || extension == ".json" || extension == ".ndjson") return "JSON";
  if (extension == ".txt") return "text";
  if (extension == ".csv" || extension == ".tsv") return "CSV";
  if (extension == ".parquet") return "Parquet";
  if (extension == ".arrow") return "Arrow";
  return "";
}

struct Found {
  std::string name;
  std::string_view kind;
};

bool is_hidden(const std::string& path) {
  for (const fs::path& part : fs::path(path)) {
    const std::string name = part.string();
    if (name.starts_with('.') || name.starts_with("__")) return true;
  }
  return false;
}

void walk(const fs::path& folder, const std::string& below, int depth,
          std::vector<std::string>& names) {
  constexpr int max_depth = 16;
  if (depth > max_depth) return;  // links may lead in circles
  for (const fs::path& path : list_folder(folder)) {
    const std::string name = path.filename().string();
    if (is_hidden(name)) continue;
    is_folder(path) ? walk(path, below + name + "/", depth + 1, names)
                    : names.push_back(below + name);
  }
}

// Keeps the files of the kind that most have, and says so where there are others.
void keep_one_kind(const std::string& place, std::vector<Found>& found) {
  std::map<std::string_view, int64_t> counts;
  for (const Found& file : found) ++counts[file.kind];
  if (counts.size() < 2) return;
  const auto most = std::ranges::max_element(
      counts, {}, [](const auto& kind) { return std::pair(kind.second, kind.first != "text"); });
  std::vector<std::string> others;
  for (const auto& [kind, count] : counts) {
    if (kind != most->first) others.push_back(fmt::format("{} of {}", count, kind));
  }
  warn("{}: its {} files of {} are read, the others are not: {}", place, most->second, most->first,
       join(others));
  const std::string_view kept = most->first;
  std::erase_if(found, [&](const Found& file) { return file.kind != kept; });
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  return words;
}

std::string split_by_words(const std::string& text) {
  for (const std::string& word : words_of(text)) {
    const auto known = std::ranges::find(split_words, word, &SplitWord::word);
    if (known != std::end(split_words)) return std::string(known->split);
  }
  return "";
}

bool all_digits(std::string_view text) {
  return text.size() == 5 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// NAME of "data/NAME-00000-of-00001…".
std::string split_of_shard(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  const size_t of = name.find("-of-");
  if (of == name.npos || of < 6 || name[of - 6] != '-') return "";
  if (!all_digits(std::string_view(name).substr(of - 5, 5)) ||
      !all_digits(std::string_view(name).substr(of + 4, 5))) {
    return "";
  }
  const std::string shard = name.substr(0, of - 6);
  return split_by_words(shard).empty() && fs::path(path).parent_path() != "data" ? "" : shard;
}

}  // namespace

std::string split_of(const std::string& path) {
  if (const std::string shard = split_of_shard(path); !shard.empty()) {
    const std::string word = split_by_words(shard);
    return word.empty() ? shard : word;
  }
  const fs::path whole(path);
  const std::string folders = split_by_words(whole.parent_path().string());
  return folders.empty() ? split_by_words(whole.filename().string()) : folders;
}

bool is_data_file_name(const std::string& name) { return !kind_of(name).empty(); }

namespace {

// Folders right below the data set that have data of one split each, as gsm8k's main and socratic.
std::vector<std::string> configurations(const std::vector<Found>& found) {
  std::vector<std::string> folders;
  for (const Found& file : found) {
    const size_t slash = file.name.find('/');
    const std::string folder = slash == file.name.npos ? "" : file.name.substr(0, slash);
    const bool says_nothing = folder.empty() || folder == "data" || !split_by_words(folder).empty();
    if (says_nothing || split_of(file.name).empty()) return {};
    if (std::ranges::find(folders, folder) == folders.end()) folders.push_back(folder);
  }
  return folders;
}

std::vector<std::string> names_of(const std::vector<Found>& found) {
  std::vector<std::string> names;
  for (const Found& file : found) names.push_back(file.name);
  return names;
}

// By the words in the names.
std::vector<std::string> choose_by_names(const std::string& place,
                                         const std::vector<std::string>& names,
                                         const std::string& wanted) {
  const size_t slash = wanted.rfind('/');
  const std::string configuration = slash == wanted.npos ? "" : wanted.substr(0, slash + 1);
  const std::string split = wanted.substr(configuration.size());
  std::vector<Found> found;
  for (const std::string& name : names) {
    const std::string_view kind = kind_of(name);
    if (!kind.empty() && !is_hidden(name) && name.starts_with(configuration)) {
      found.push_back({name, kind});
    }
  }
  std::ranges::sort(found, {}, &Found::name);
  if (found.empty()) {
    throw input_error("{}{} has no data files", place,
                      configuration.empty() ? "" : "/" + configuration)
        .with_hint(
            "data files end with .jsonl, .json, .csv, .txt, .parquet or .arrow, also with .gz or "
            ".zst behind");
  }
  keep_one_kind(place, found);
  if (const auto folders = configurations(found); configuration.empty() && folders.size() > 1) {
    throw input_error("{} has several configurations: {}", place, join(folders))
        .with_hint(fmt::format("{}:{}/{} names one", place, folders.front(),
                               split.empty() ? "train" : split));
  }
  std::map<std::string, int64_t> splits;
  for (const Found& file : found) {
    if (const std::string name = split_of(file.name); !name.empty()) ++splits[name];
  }
  if (splits.empty()) {
    if (!split.empty() && split != "train") {
      throw input_error("{} has no split \"{}\": its files' names say none", place, split);
    }
    return names_of(found);
  }
  const std::string known = split_by_words(split);
  const std::string chosen = split.empty() ? "train" : known.empty() ? split : known;
  std::vector<std::string> there;
  for (const auto& [name, count] : splits) there.push_back(name);
  const size_t all = found.size();
  std::erase_if(found, [&](const Found& file) { return split_of(file.name) != chosen; });
  if (found.empty()) {
    throw input_error("{} has no split \"{}\"; there are: {}", place, chosen, join(there))
        .with_hint(fmt::format("{}:{} names one", place, there.front()));
  }
  if (found.size() < all && split.empty()) {
    say("{}: the {} files of split \"{}\" are read, of {}", place, found.size(), chosen, all);
  }
  return names_of(found);
}

const DataConfiguration& chosen_configuration(const std::string& place,
                                              const std::vector<DataConfiguration>& all,
                                              const std::string& wanted) {
  std::vector<std::string> names;
  const DataConfiguration* usual = all.size() == 1 ? &all.front() : nullptr;
  for (const DataConfiguration& one : all) {
    if (one.name == wanted) return one;
    if (one.is_default || (one.name == "default" && usual == nullptr)) usual = &one;
    names.push_back(one.name);
  }
  if (wanted.empty() && usual != nullptr) return *usual;
  throw input_error("{} {}: its README.md has {}", place,
                    wanted.empty() ? "has several configurations"
                                   : fmt::format("has no configuration \"{}\"", wanted),
                    join(names))
      .with_hint(fmt::format("{}:{}/train names one", place, names.front()));
}

// By the README.md's `configs`.
std::vector<std::string> choose_by_card(const std::string& place,
                                        const std::vector<std::string>& names,
                                        const std::vector<DataConfiguration>& configurations,
                                        const std::string& wanted) {
  const size_t slash = wanted.rfind('/');
  const std::string name = slash == wanted.npos ? "" : wanted.substr(0, slash);
  const std::string split = slash == wanted.npos ? wanted : wanted.substr(slash + 1);
  const DataConfiguration& chosen = chosen_configuration(place, configurations, name);
  if (!chosen.unread.empty()) {
    throw input_error("{}: configuration \"{}\" of its README.md has \"{}\", which is not read",
                      place, chosen.name, chosen.unread)
        .with_hint("name the data files themselves: --data FILE");
  }
  const std::string below = chosen.folder.empty() ? "" : chosen.folder + "/";
  if (chosen.splits.empty()) return choose_by_names(place, names, below + split);
  std::vector<std::string> there;
  for (const auto& [of, patterns] : chosen.splits) there.push_back(of);
  const std::string of = split.empty() ? "train" : split;
  const auto found = std::ranges::find(there, of);
  if (found == there.end()) {
    throw input_error("{} has no split \"{}\"; its README.md has: {}", place, of, join(there))
        .with_hint(fmt::format("{}:{} names one", place, there.front()));
  }
  std::vector<Found> files;
  for (const std::string& pattern : chosen.splits[found - there.begin()].second) {
    std::vector<std::string> matching;
    for (const std::string& file : names) {
      if (matches_path(below + pattern, file) && !kind_of(file).empty()) matching.push_back(file);
    }
    if (matching.empty()) {
      throw input_error(
          "{}: its README.md says \"{}\" for split \"{}\", and no data file has such "
          "a name",
          place, pattern, of);
    }
    std::ranges::sort(matching);
    for (const std::string& file : matching) {
      if (std::ranges::find(files, file, &Found::name) == files.end()) {
        files.push_back({file, kind_of(file)});
      }
    }
  }
  keep_one_kind(place, files);
  if (split.empty() && there.size() > 1) {
    say("{}: split \"{}\" of its README.md is read, {} files", place, of, files.size());
  }
  return names_of(files);
}

}  // namespace

std::vector<std::string> choose_data_files(const std::string& place,
                                           const std::vector<std::string>& names,
                                           const std::string& wanted, const std::string& readme) {
  const auto configurations = data_configurations(readme, place + "/README.md");
  return configurations.empty() ? choose_by_names(place, names, wanted)
                                : choose_by_card(place, names, configurations, wanted);
}

std::vector<fs::path> data_files(const fs::path& folder, const std::string& split) {
  std::vector<std::string> names;
  walk(folder, "", 0, names);
  std::vector<fs::path> files;
  const fs::path card = folder / data_card_name;
  const std::string readme = is_file(card) ? read_file(card, max_card_bytes) : "";
  for (const std::string& name : choose_data_files(folder.string(), names, split, readme)) {
    files.push_back(folder / name);
  }
  return files;
}

}  // namespace alambic
