#include "alambic/io/block_yaml.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

constexpr int deepest = 32;

struct YamlLine {
  size_t indent = 0;
  std::string_view text;  // without indentation, comment and trailing blanks
  int number = 0;
};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Place of a comment outside of quotes, or the end.
size_t content_end(std::string_view text) {
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      const bool begins = i == 0 || is_blank(text[i - 1]) ||
                          std::string_view("[{,:").find(text[i - 1]) != std::string_view::npos;
      if (begins) quote = c;
    } else if (c == '#' && (i == 0 || is_blank(text[i - 1]))) {
      return i;
    }
  }
  return text.size();
}

std::vector<YamlLine> lines_of(std::string_view text, int number) {
  std::vector<YamlLine> lines;
  for (size_t at = 0; at < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    const size_t indent = std::min(line.find_first_not_of(' '), line.size());
    line = line.substr(indent);
    line = line.substr(0, content_end(line));
    line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) lines.push_back({indent, line, number});
  }
  return lines;
}

// Reads a value within a line.
class Flow {
 public:
  Flow(const std::string& where, const YamlLine& line, std::string_view text)
      : where_(where), line_(line), text_(text) {}

  YamlValue whole() {
    YamlValue read = value("", 0);
    skip();
    if (at_ < text_.size()) throw wrong();
    return read;
  }

 private:
  Error wrong() const {
    return input_error("{}:{}: cannot read this YAML: {}", where_, line_.number,
                       printable(line_.text))
        .with_hint("name the data files themselves: --data FILE, or --data FOLDER/FOLDER");
  }
  void skip() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  // `ends`: what ends a plain text, beside the line.
  YamlValue value(std::string_view ends, int depth) {
    skip();
    if (depth > deepest) throw wrong();
    YamlValue read;
    const char first = next();
    if (first == '[') return list(depth);
    if (first == '{') return mapping(depth);
    if (first == '"' || first == '\'') {
      read.text = quoted();
      return read;
    }
    // Texts over several lines, anchors, tags and what YAML keeps for itself.
    if (first != '\0' && std::string_view("|>&*!%@`").find(first) != std::string_view::npos &&
        !(first == '*' && text_.size() > at_ + 1 &&
          std::string_view("*./").find(text_[at_ + 1]) != std::string_view::npos)) {
      throw wrong();
    }
    size_t end = at_;
    while (end < text_.size() && ends.find(text_[end]) == ends.npos) ++end;
    read.text = std::string(text_.substr(at_, end - at_));
    read.text.resize(read.text.find_last_not_of(" \t") + 1);
    at_ = end;
    return read;
  }

  std::string quoted() {
    const char quote = text_[at_++];
    std::string text;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote && quote == '\'' && at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
        ++at_;  // doubled
      } else if (c == quote) {
        ++at_;
        return text;
      } else if (c == '\\' && quote == '"') {
        ++at_;
        const std::string_view escapes = "\"\"\\\\//t\tn\n";
        const size_t known = escapes.find(next());
        if (known == escapes.npos || known % 2 != 0) throw wrong();
        text += escapes[known + 1];
        continue;
      }
      text += c;
    }
    throw wrong();
  }

  YamlValue list(int depth) {
    YamlValue read{.kind = YamlValue::Kind::list, .text = {}, .keys = {}, .items = {}};
    for (++at_; skip(), next() != ']';) {
      read.items.push_back(value(",]", depth + 1));
      skip();
      if (next() == ',')
        ++at_;
      else if (next() != ']')
        throw wrong();
    }
    ++at_;
    return read;
  }

  YamlValue mapping(int depth) {
    YamlValue read{.kind = YamlValue::Kind::mapping, .text = {}, .keys = {}, .items = {}};
    for (++at_; skip(), next() != '}';) {
      const std::string key = value(":,}", depth + 1).text;
      skip();
      if (next() != ':') throw wrong();
      ++at_;
      read.keys.push_back(key);
      read.items.push_back(value(",}", depth + 1));
      skip();
      if (next() == ',')
        ++at_;
      else if (next() != '}')
        throw wrong();
    }
    ++at_;
    return read;
  }

  const std::string& where_;
  const YamlLine& line_;
  std::string_view text_;
  size_t at_ = 0;
};

// Reads lines by their indentation.
class Block {
 public:
  Block(const std::string& where, std::vector<YamlLine> lines)
      : where_(where), lines_(std::move(lines)) {}

  YamlValue whole() {
    if (lines_.empty()) return {};
    YamlValue read = value(lines_[0].indent, 0);
    if (at_ < lines_.size()) throw wrong();
    return read;
  }

 private:
  Error wrong() const {
    const YamlLine& line = lines_[std::min(at_, lines_.size() - 1)];
    return input_error("{}:{}: cannot read this YAML: {}", where_, line.number,
                       printable(line.text))
        .with_hint("name the data files themselves: --data FILE, or --data FOLDER/FOLDER");
  }
  static bool is_item(const YamlLine& line) {
    return line.text == "-" || line.text.starts_with("- ");
  }
  bool here(size_t indent) const { return at_ < lines_.size() && lines_[at_].indent == indent; }

  // The length of "key" before ": " or a last ":"; npos: no key.
  static size_t key_length(std::string_view text) {
    if (text.starts_with('[') || text.starts_with('{')) return text.npos;
    char quote = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (quote != 0) {
        if (text[i] == quote) quote = 0;
      } else if (i == 0 && (text[i] == '"' || text[i] == '\'')) {
        quote = text[i];
      } else if (text[i] == ':' && (i + 1 == text.size() || is_blank(text[i + 1]))) {
        return i;
      }
    }
    return text.npos;
  }

  YamlValue value(size_t indent, int depth) {
    if (depth > deepest) throw wrong();
    if (is_item(lines_[at_])) return list(indent, depth);
    if (key_length(lines_[at_].text) != std::string_view::npos) return mapping(indent, depth);
    const YamlLine& line = lines_[at_++];
    return Flow(where_, line, line.text).whole();
  }

  // What stands below a "-" or a "key:".
  YamlValue below(size_t indent, bool items_beside, int depth) {
    if (at_ == lines_.size()) return {};
    const YamlLine& next = lines_[at_];
    if (next.indent > indent || (items_beside && next.indent == indent && is_item(next))) {
      return value(next.indent, depth + 1);
    }
    return {};
  }

  YamlValue list(size_t indent, int depth) {
    YamlValue read{.kind = YamlValue::Kind::list, .text = {}, .keys = {}, .items = {}};
    while (here(indent) && is_item(lines_[at_])) {
      YamlLine& line = lines_[at_];
      const size_t begin = line.text.find_first_not_of(" \t", 1);
      if (begin == std::string_view::npos) {
        ++at_;
        read.items.push_back(below(indent, /*items_beside=*/false, depth));
        continue;
      }
      // What follows the dash begins a value of its own, at its place.
      line.text.remove_prefix(begin);
      line.indent += begin;
      read.items.push_back(value(line.indent, depth + 1));
    }
    if (at_ < lines_.size() && lines_[at_].indent > indent) throw wrong();
    return read;
  }

  YamlValue mapping(size_t indent, int depth) {
    YamlValue read{.kind = YamlValue::Kind::mapping, .text = {}, .keys = {}, .items = {}};
    while (here(indent) && !is_item(lines_[at_])) {
      const YamlLine& line = lines_[at_];
      const size_t length = key_length(line.text);
      if (length == std::string_view::npos) throw wrong();
      const std::string key = Flow(where_, line, line.text.substr(0, length)).whole().text;
      const std::string_view rest = line.text.substr(length + 1);
      const size_t begin = rest.find_first_not_of(" \t");
      ++at_;
      read.keys.push_back(key);
      read.items.push_back(begin == std::string_view::npos
                               ? below(indent, /*items_beside=*/true, depth)
                               : Flow(where_, line, rest.substr(begin)).whole());
    }
    if (at_ < lines_.size() && lines_[at_].indent > indent) throw wrong();
    return read;
  }

  const std::string& where_;
  std::vector<YamlLine> lines_;
  size_t at_ = 0;
};

}  // namespace

const YamlValue* YamlValue::find(std::string_view key) const {
  const auto found = std::ranges::find(keys, key);
  return found == keys.end() ? nullptr : &items[found - keys.begin()];
}

YamlValue yaml_member(std::string_view text, std::string_view key, const std::string& where,
                      int first_line) {
  std::vector<YamlLine> own;
  bool inside = false;
  for (const YamlLine& line : lines_of(text, first_line)) {
    const bool outer = line.indent == 0 && !line.text.starts_with('-');
    if (outer) inside = line.text.starts_with(key) && line.text.substr(key.size()).starts_with(':');
    if (inside) own.push_back(line);
  }
  if (own.empty()) return {};
  const YamlValue read = Block(where, std::move(own)).whole();
  const YamlValue* found = read.find(key);
  return found == nullptr ? YamlValue() : *found;
}

}  // namespace alambic
