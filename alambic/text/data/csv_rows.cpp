#include "alambic/text/data/csv_rows.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/text/data/json_text.h"

namespace alambic {

namespace {

// pandas' names for what is missing.
constexpr std::string_view missing[] = {
    "",        "#N/A", "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "<NA>", "1.#IND",
    "1.#QNAN", "N/A",  "NA",       "NULL", "NaN",     "None",     "n/a",  "nan",  "null"};

struct Record {
  std::vector<std::string> fields;
  int64_t line = 1;  // where it begins
};

// Goes through a table, record by record.
class Table {
 public:
  Table(const std::string& name, std::string_view text, char separator)
      : name_(name), text_(text), separator_(separator) {}

  // False at the end.
  bool next(Record& record) {
    skip_blank_lines();
    if (at_ == text_.size()) return false;
    record = {.fields = {}, .line = line_};
    while (true) {
      record.fields.push_back(field(record.line));
      if (at_ == text_.size() || text_[at_] != separator_) break;
      ++at_;
    }
    skip_line_end();
    return true;
  }

 private:
  bool at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }

  void skip_line_end() {
    if (at_ == text_.size()) return;
    at_ += text_.substr(at_).starts_with("\r\n") ? 2 : 1;
    ++line_;
  }

  // Lines of nothing but spaces, too.
  void skip_blank_lines() {
    while (at_ < text_.size()) {
      const size_t end = text_.find_first_not_of(separator_ == '\t' ? " " : " \t", at_);
      if (end == text_.npos) at_ = text_.size();
      if (end == text_.npos || (text_[end] != '\n' && text_[end] != '\r')) return;
      at_ = end;
      skip_line_end();
    }
  }

  std::string field(int64_t record_line) {
    std::string value;
    if (at_ < text_.size() && text_[at_] == '"') read_quoted(value, record_line);
    // What follows the closing quote belongs to the field, and quotes are letters there.
    while (at_ < text_.size() && text_[at_] != separator_ && !at_line_end()) {
      value += text_[at_++];
    }
    return value;
  }

  void read_quoted(std::string& value, int64_t record_line) {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') {
          ++at_;
          return;
        }
        ++at_;
      }
      const bool crlf = c == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
      if (c == '\n' || (c == '\r' && !crlf)) ++line_;
      value += c;
    }
    throw input_error("{}:{}: a quote that begins in this row is never closed", name_, record_line)
        .with_hint("was the file copied whole? a quote within a field in quotes is doubled: \"\"");
  }

  const std::string& name_;
  std::string_view text_;
  char separator_;
  size_t at_ = 0;
  int64_t line_ = 1;
};

// As pandas: an empty name becomes Unnamed: N, the second of two NAME.1.
std::vector<std::string> column_names(const std::vector<std::string>& header) {
  std::vector<std::string> names;
  const std::unordered_set<std::string> written(header.begin(), header.end());
  std::unordered_set<std::string> used;
  std::unordered_map<std::string, int> counts;  // a name's last number
  for (size_t i = 0; i < header.size(); ++i) {
    const std::string plain = header[i].empty() ? fmt::format("Unnamed: {}", i) : header[i];
    std::string name = plain;
    while (used.contains(name) || (name != plain && written.contains(name))) {
      name = fmt::format("{}.{}", plain, ++counts[plain]);
    }
    used.insert(name);
    names.push_back(name);
  }
  return names;
}

}  // namespace

void write_csv_rows(const std::string& name, std::string_view text, char separator,
                    const TakeBytes& take) {
  Table table(name, text, separator);
  Record record;
  if (!table.next(record)) return;
  const std::vector<std::string> columns = column_names(record.fields);
  std::vector<std::string> keys;
  for (const std::string& column : columns) keys.push_back(json_string(column));
  while (table.next(record)) {
    if (record.fields.size() > columns.size()) {
      throw input_error("{}:{}: the row has {} fields, but the first line names {} columns", name,
                        record.line, record.fields.size(), columns.size())
          .with_hint("a field with a comma in it is written in quotes");
    }
    std::string row;
    for (size_t i = 0; i < columns.size(); ++i) {
      const bool there = i < record.fields.size() &&
                         std::ranges::find(missing, record.fields[i]) == std::end(missing);
      row += fmt::format("{}{}: {}", i == 0 ? "{" : ", ", keys[i],
                         there ? json_string(record.fields[i]) : "null");
    }
    take(row + "}\n");
  }
}

}  // namespace alambic
