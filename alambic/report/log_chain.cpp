#include "alambic/report/log_chain.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "alambic/base/error.h"
#include "alambic/base/sha256.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

// A line as far as the chain asks.
struct Link {
  std::string hash;      // of the whole line
  std::string previous;  // what it says of the line before; "" where it says nothing
  int64_t step = 0;
};

Link link_of(std::string_view line) {
  Link link{.hash = sha256(line)};
  const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!row.is_object()) return link;
  const auto previous = row.find(chain_field), step = row.find("step");
  if (previous != row.end() && previous->is_string()) link.previous = previous->get<std::string>();
  if (step != row.end() && step->is_number_integer()) link.step = step->get<int64_t>();
  return link;
}

std::vector<Link> links_of(const fs::path& path) {
  const std::string bytes = read_file(path);
  std::vector<Link> links;
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    links.push_back(link_of(std::string_view(bytes).substr(begin, end - begin)));
    begin = end + 1;
  }
  return links;
}

int64_t line_of(const std::vector<Link>& links, const std::string& hash) {
  const auto found = std::ranges::find(links, hash, &Link::hash);
  return found == links.end() ? 0 : found - links.begin() + 1;
}

// Whether what comes after line `at` (from 0) knows it by another hash.
bool is_known_otherwise(const std::vector<Link>& links, size_t at,
                        const std::optional<LogHead>& end) {
  if (at + 1 < links.size()) return links[at + 1].previous != links[at].hash;
  return end && end->lines == static_cast<int64_t>(at + 1) && end->hash != links[at].hash;
}

// Line `at` (from 0) does not follow the one before: which of the two is wrong, and how.
LogFault broken_at(const std::vector<Link>& links, size_t at, const std::optional<LogHead>& end) {
  const auto line = static_cast<int64_t>(at + 1);
  const Link& link = links[at];
  if (link.previous.empty()) return {line, "carries no hash of the line before: it was put there"};
  if (at == 0) return {line, "is not the first line of the log: lines before it were removed"};
  const int64_t follows = line_of(links, link.previous);
  if (follows > line) return {line, "stood elsewhere: lines were swapped"};
  if (follows > 0 && follows < line - 1) return {follows + 1, "was put there, or repeated"};
  if (is_known_otherwise(links, at, end)) return {line, "was altered"};
  if (link.previous == chain_link({})) return {1, "was put there before the first line"};
  if (link.step > links[at - 1].step + 1) {
    return {line, "does not follow the line before: lines between them were removed"};
  }
  return {line - 1, "was altered: the next line has another hash of it"};
}

std::optional<LogFault> chain_fault(const std::vector<Link>& links,
                                    const std::optional<LogHead>& end) {
  for (size_t i = 0; i < links.size(); ++i) {
    const LogHead before{static_cast<int64_t>(i), i == 0 ? "" : links[i - 1].hash};
    if (links[i].previous != chain_link(before)) return broken_at(links, i, end);
  }
  return {};
}

}  // namespace

std::string chain_link(const LogHead& head) {
  return head.lines == 0 ? std::string(64, '0') : head.hash;
}

LogHead log_head_of(const fs::path& path) {
  const std::string bytes = read_file(path);
  LogHead head{.lines = std::ranges::count(bytes, '\n')};
  if (head.lines == 0) return head;
  const size_t end = bytes.rfind('\n');
  const size_t before = end == 0 ? std::string::npos : bytes.rfind('\n', end - 1);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  head.hash = sha256(std::string_view(bytes).substr(begin, end - begin));
  return head;
}

std::optional<LogFault> log_fault(const fs::path& path, const std::vector<LogHead>& heads,
                                  const std::optional<LogHead>& end) {
  const std::vector<Link> links = links_of(path);
  const auto count = static_cast<int64_t>(links.size());
  if (auto fault = chain_fault(links, end)) return fault;
  std::vector<LogHead> known = heads;
  if (end) known.push_back(*end);
  std::ranges::stable_sort(known, {}, &LogHead::lines);
  for (const LogHead& head : known) {
    if (head.lines > count) {
      return LogFault{count + 1, fmt::format("is missing: the log had {} lines", head.lines)};
    }
    if (head.lines > 0 && links[static_cast<size_t>(head.lines - 1)].hash != head.hash) {
      return LogFault{head.lines, "was altered: its hash is not the one that was recorded"};
    }
  }
  if (end && count > end->lines) {
    return LogFault{end->lines + 1, "was added: the log ended before it"};
  }
  return {};
}

}  // namespace alambic
