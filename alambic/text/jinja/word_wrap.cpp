#include "alambic/text/jinja/word_wrap.h"

#include <algorithm>

#include "alambic/base/utf8.h"
#include "alambic/text/jinja/unicode.h"

namespace alambic::jinja {
namespace {

using Row = std::u32string;

bool is_blank(const Row& chunk) { return is_space_character(chunk.front()); }

// Words, runs of white space, and parts of hyphenated words.
std::vector<Row> chunks_of(const std::string& line, bool at_hyphens) {
  const Row row = to_code_points(line);
  std::vector<Row> chunks;
  for (size_t i = 0; i < row.size();) {
    const bool blank = is_space_character(row[i]);
    size_t end = i;
    while (end < row.size() && is_space_character(row[end]) == blank) {
      ++end;
      const bool hyphen = at_hyphens && !blank && row[end - 1] == '-' && end - i >= 2 &&
                          is_letter(row[end - 2]) && end + 1 < row.size() && is_letter(row[end]) &&
                          (is_letter(row[end + 1]) || row[end + 1] == '-');
      if (hyphen) break;
    }
    chunks.push_back(row.substr(i, end - i));
    i = end;
  }
  return chunks;
}

}  // namespace

std::vector<std::string> wrap_line(const std::string& line, const WrapStyle& style) {
  std::vector<Row> chunks = chunks_of(line, style.break_on_hyphens);
  std::ranges::reverse(chunks);
  std::vector<std::string> lines;
  while (!chunks.empty()) {
    std::vector<Row> current;
    size_t length = 0;
    if (is_blank(chunks.back()) && !lines.empty()) chunks.pop_back();
    while (!chunks.empty() && length + chunks.back().size() <= style.width) {
      length += chunks.back().size();
      current.push_back(std::move(chunks.back()));
      chunks.pop_back();
    }
    if (!chunks.empty() && chunks.back().size() > style.width) {
      const size_t room = style.width - length;
      if (style.break_long_words) {
        current.push_back(chunks.back().substr(0, room));
        chunks.back().erase(0, room);
      } else if (current.empty()) {
        current.push_back(std::move(chunks.back()));
        chunks.pop_back();
      }
    }
    if (!current.empty() && (current.back().empty() || is_blank(current.back()))) {
      current.pop_back();
    }
    Row text;
    for (const Row& chunk : current) text += chunk;
    if (!text.empty()) lines.push_back(to_utf8(text));
  }
  return lines;
}

std::string without_tags(std::string_view text) {
  std::string kept(text);
  const auto drop = [&](std::string_view open, std::string_view close) {
    for (size_t at = kept.find(open); at != kept.npos; at = kept.find(open, at)) {
      const size_t end = kept.find(close, at);
      if (end == kept.npos) return;
      kept.erase(at, end + close.size() - at);
    }
  };
  drop("<!--", "-->");
  drop("<", ">");
  std::string words;
  bool blank = false;
  for (size_t i = 0; i < kept.size();) {
    const size_t start = i;
    if (is_space_character(next_code_point(kept, i))) {
      blank = true;
      continue;
    }
    if (blank && !words.empty()) words += ' ';
    blank = false;
    words += kept.substr(start, i - start);
  }
  const std::pair<std::string_view, std::string_view> entities[] = {
      {"&lt;", "<"},    {"&gt;", ">"},  {"&#34;", "\""},
      {"&quot;", "\""}, {"&#39;", "'"}, {"&amp;", "&"}};
  for (const auto& [name, character] : entities) {
    for (size_t at = words.find(name); at != words.npos; at = words.find(name, at + 1)) {
      words.replace(at, name.size(), character);
    }
  }
  return words;
}

}  // namespace alambic::jinja
