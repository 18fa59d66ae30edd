#include "alambic/remote/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/output_place.h"
#include "alambic/base/sha256.h"
#include "alambic/base/write_all.h"
#include "alambic/remote/journal_usage.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view begin_of_line = R"({"key":")";
constexpr size_t longest_line = 4096;

std::string check_of(const std::string& fields) { return sha256(fields).substr(0, 16); }

// {"key":"…","bytes":N,"sha256":"…",…,"check":"…"}: the check is of the line without it.
std::string line_of(const Journal::Reply& reply, const std::string& digest) {
  const Journal::Facts& facts = reply.facts;
  Json line = {{"key", reply.key},
               {"bytes", reply.bytes.size()},
               {"sha256", digest},
               {"input_tokens", facts.usage.input_tokens},
               {"output_tokens", facts.usage.output_tokens},
               {"attempts", facts.attempts},
               {"seconds", facts.seconds},
               {"request_id", facts.request_id}};
  const std::string fields = line.dump(-1, ' ', false, Json::error_handler_t::replace);
  line["check"] = check_of(fields);
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The line's fields; null where it is torn or none of ours.
Json fields_of(const std::string& text) {
  Json line = Json::parse(text, nullptr, false);
  if (!line.is_object() || !line.contains("check") || !line["check"].is_string()) return nullptr;
  const std::string check = line["check"];
  line.erase("check");
  if (check_of(line.dump(-1, ' ', false, Json::error_handler_t::replace)) != check) return nullptr;
  return line;
}

// Where a line that may be ours begins after the first byte of `text`; its end where none does.
size_t next_line(const std::string& text, bool last) {
  const size_t found = text.find("\n" + std::string(begin_of_line));
  if (found != text.npos) return found + 1;
  return last || text.size() <= begin_of_line.size() + 1 ? text.size()
                                                         : text.size() - begin_of_line.size() - 1;
}

/// A whole reply in a file: its line's fields, and where its bytes begin.
using Found = std::function<void(const Json& line, uint64_t begin)>;

// Tells of every whole reply; returns the end of the last one. Bytes are not looked at.
uint64_t scan(const fs::path& path, const Found& found) {
  std::ifstream in(path, std::ios::binary);
  const uint64_t size = file_bytes(path);
  uint64_t at = 0, torn = 0, whole = 0;
  std::string text;
  while (at < size) {
    in.clear();
    in.seekg(static_cast<std::streamoff>(at));
    text.resize(std::min<uint64_t>(longest_line, size - at));
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    if (text.empty()) break;
    const size_t newline = text.find('\n');
    const Json line = text.starts_with(begin_of_line) && newline != text.npos
                          ? fields_of(text.substr(0, newline))
                          : Json();
    const uint64_t begin = at + newline + 1;
    if (line.is_object() && line["bytes"].get<uint64_t>() < size - begin) {
      found(line, begin);
      whole = at = begin + line["bytes"].get<uint64_t>() + 1;
      continue;
    }
    const size_t step = next_line(text, at + text.size() == size);
    torn += step;
    at += step;
  }
  if (torn > 0) warn("{}: {} bytes that were torn are left out", path.string(), torn);
  return whole;
}

Usage usage_of(const Json& line) {
  return {.input_tokens = line["input_tokens"], .output_tokens = line["output_tokens"]};
}

std::vector<fs::path> journals_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".journal") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

JournalUsage journal_usage(const fs::path& folder) {
  JournalUsage all;
  for (const fs::path& file : journals_of(folder)) {
    scan(file, [&](const Json& line, uint64_t) {
      all.usage += usage_of(line);
      ++all.replies;
    });
  }
  return all;
}

Journal::Journal(const fs::path& folder, const std::string& name) {
  make_folder(folder);
  files_ = {folder / (name + ".journal")};
  for (const fs::path& file : journals_of(folder)) {
    if (file != files_.front()) files_.push_back(file);
  }
  descriptor_ = ::open(files_.front().c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw write_error(files_.front(), errno);
  for (size_t file = 0; file < files_.size(); ++file) {
    const uint64_t whole = read(file);
    // A reply that is added next must not lie in the place of one that was not written to its end.
    if (file == 0 && whole < file_bytes(files_[0])) set_file_bytes(files_[0], whole);
  }
  end_ = file_bytes(files_.front());
  if (end_ == 0) sync_folder(folder);
}

Journal::~Journal() { ::close(descriptor_); }

// The end of the last whole reply.
uint64_t Journal::read(size_t file) {
  return scan(files_[file], [&](const Json& line, uint64_t begin) {
    usage_ += usage_of(line);
    places_.insert_or_assign(line["key"].get<std::string>(),
                             Place{file, begin, line["bytes"], line["sha256"]});
  });
}

std::optional<std::string> Journal::find(const std::string& key) const {
  const auto found = places_.find(key);
  if (found == places_.end()) return {};
  const Place& place = found->second;
  std::ifstream in(files_[place.file], std::ios::binary);
  std::string bytes(place.size, '\0');
  in.seekg(static_cast<std::streamoff>(place.begin));
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (static_cast<uint64_t>(in.gcount()) == place.size && sha256(bytes) == place.sha256) {
    return bytes;
  }
  warn("{}: a reply is damaged and is asked for again", files_[place.file].string());
  return {};
}

void Journal::add(std::span<const Reply> replies) {
  std::string text;
  std::vector<Place> places;
  for (const Reply& reply : replies) {
    const std::string digest = sha256(reply.bytes);
    text += line_of(reply, digest);
    places.push_back({0, end_ + text.size(), reply.bytes.size(), digest});
    text += reply.bytes;
    text += '\n';
  }
  if (const int reason = write_all(descriptor_, text); reason != 0) {
    throw write_error(files_.front(), reason);
  }
  if (::fdatasync(descriptor_) != 0) throw write_error(files_.front(), errno);
  end_ += text.size();
  for (size_t i = 0; i < replies.size(); ++i) {
    usage_ += replies[i].facts.usage;
    places_.insert_or_assign(replies[i].key, std::move(places[i]));
  }
}

}  // namespace alambic
