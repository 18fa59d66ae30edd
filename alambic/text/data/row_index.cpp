#include "alambic/text/data/row_index.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/text/data/json_text.h"

namespace alambic {

namespace {

constexpr std::string_view blanks = " \t\f";

// Walks over a text and counts its lines, which end with LF, CRLF or CR.
class Walk {
 public:
  explicit Walk(const DataFile& file) : file_(file), text_(file.text()) {}

  size_t at() const { return at_; }
  int64_t line() const { return line_; }
  bool at_end() const { return at_ >= text_.size(); }
  char here() const { return text_[at_]; }

  void move_to(size_t to) {
    for (size_t i = at_; i < to; ++i) {
      if (text_[i] == '\n') ++line_;
      if (text_[i] == '\r' && (i + 1 == text_.size() || text_[i + 1] != '\n')) ++line_;
    }
    unreported_ += to - at_;
    at_ = to;
    if (unreported_ < size_t{1} << 20) return;
    file_.was_read(unreported_);
    unreported_ = 0;
  }
  void skip_white() { move_to(std::min(text_.find_first_not_of(" \t\f\r\n", at_), text_.size())); }

 private:
  const DataFile& file_;
  std::string_view text_;
  size_t at_ = 0, unreported_ = 0;
  int64_t line_ = 1;
};

// Whether an object begins right after the end of another, in a string or not.
bool may_hold_two(std::string_view line) {
  for (size_t i = line.find('}'); i != line.npos; i = line.find('}', i + 1)) {
    const size_t next = line.find_first_not_of(blanks, i + 1);
    if (next != line.npos && line[next] == '{') return true;
  }
  return false;
}

}  // namespace

RowIndex::RowIndex(const DataFile& file) {
  const std::string_view text = file.text();
  const size_t first = text.find_first_not_of(" \t\f\r\n");
  if (first == text.npos) return;
  const size_t end = json_value_end(text, first, true);
  const bool ends_in_its_line = end > first && (text[end - 1] == '}' || text[end - 1] == ']');
  if (text[first] == '[') {
    form_ = Form::list;
  } else if (text[first] == '{' && !ends_in_its_line) {
    // A line that stops after a bracket, a comma or a colon goes on in the next one; where it stops
    // elsewhere the row was cut off.
    const char last = text[text.find_last_not_of(" \t\f", end - 1)];
    if (std::string_view("{[,:").find(last) != std::string_view::npos) form_ = Form::values;
  }
  form_ == Form::lines    ? add_lines(file)
  : form_ == Form::values ? add_values(file)
                          : add_list(file, first);
  begin_.shrink_to_fit();
  line_.shrink_to_fit();
}

void RowIndex::add(size_t begin, int64_t line) {
  begin_.push_back(begin);
  line_.push_back(static_cast<uint32_t>(std::min<int64_t>(line, UINT32_MAX)));
}

void RowIndex::add_lines(const DataFile& file) {
  const std::string_view text = file.text();
  for (Walk walk(file); walk.skip_white(), !walk.at_end();) {
    add(walk.at(), walk.line());
    const size_t line_end = std::min(text.find_first_of("\r\n", walk.at()), text.size());
    size_t end = line_end;
    // A second object may follow in the same line; anything else makes the row a broken one.
    if (may_hold_two(text.substr(walk.at(), line_end - walk.at()))) {
      const size_t value_end = json_value_end(text, walk.at(), true);
      const size_t next = std::min(text.find_first_not_of(blanks, value_end), text.size());
      if (next < line_end && text[next] == '{') end = value_end;
    }
    walk.move_to(end);
  }
}

void RowIndex::add_values(const DataFile& file) {
  for (Walk walk(file); walk.skip_white(), !walk.at_end();) {
    add(walk.at(), walk.line());
    walk.move_to(std::max(json_value_end(file.text(), walk.at()), walk.at() + 1));
  }
}

void RowIndex::add_list(const DataFile& file, size_t at) {
  Walk walk(file);
  const auto broken = [&](const char* expected) {
    const std::string_view rest = file.text().substr(walk.at(), 20);
    return input_error("{}:{}: the file is a list; expected {}, found {}", file.name(), walk.line(),
                       expected, rest.empty() ? "the end of the file" : printable(rest));
  };
  walk.move_to(at + 1);
  walk.skip_white();
  bool first = true;
  while (true) {
    if (walk.at_end()) throw broken("a row or ']'").with_hint("was the file copied whole?");
    if (walk.here() == ']' && first) break;
    if (std::string_view(",]}:").find(walk.here()) != std::string_view::npos) throw broken("a row");
    first = false;
    add(walk.at(), walk.line());
    walk.move_to(json_value_end(file.text(), walk.at()));
    walk.skip_white();
    if (walk.at_end()) throw broken("',' or ']'").with_hint("was the file copied whole?");
    if (walk.here() == ']') break;
    if (walk.here() != ',') throw broken("',' or ']'");
    walk.move_to(walk.at() + 1);
    walk.skip_white();
  }
  walk.move_to(walk.at() + 1);
  walk.skip_white();
  if (!walk.at_end()) throw broken("the end of the file");
}

RowText RowIndex::row(const DataFile& file, size_t i) const {
  const std::string_view text = file.text();
  const size_t begin = begin_[i], next = i + 1 < size() ? begin_[i + 1] : text.size();
  size_t end = next;
  if (form_ == Form::list) {
    end = json_value_end(text, begin);
  } else if (form_ == Form::values) {
    end = std::max(json_value_end(text, begin), begin + 1);
  }
  std::string_view json = text.substr(begin, end - begin);
  json = json.substr(0, json.find_last_not_of(" \t\f\r\n") + 1);
  file.was_read(json.size());
  return {json, line_[i]};
}

}  // namespace alambic
