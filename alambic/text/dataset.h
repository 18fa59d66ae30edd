// Data sets: rows of JSON (jsonl, a list, several values), or plain texts (.txt).
#pragma once

#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/text/chat/chat.h"
#include "alambic/text/data/data_rows.h"
#include "alambic/text/data/row_forms.h"

namespace alambic {

/// One row, with the fields that it was asked for.
struct Example {
  std::string prompt;  ///< a conversation's is what its template writes before the completion
  std::optional<std::string> completion;  ///< a conversation's is plain text, without template
  std::vector<std::string> answers;    ///< known answers, each of them right; empty: none is known
  std::optional<std::string> text;     ///< for next-token training; a .txt file is one such row
  std::optional<std::string> teacher;  ///< name of the teacher that grades this row
  std::optional<std::string> teacher_prompt;  ///< the prompt as the teacher reads it
  std::string place;                          ///< "train.jsonl:3", with which errors begin
  std::shared_ptr<const Chat> chat;           ///< null where the row is plain text
  bool teacher_chat = false;                  ///< a template wrote `teacher_prompt`
};

/// Fields that a row must have, for example {"prompt", "completion"}.
using Fields = std::vector<std::string>;

/// Template and use with which conversations are read.
struct ChatReader {
  /// The template that writes them, asked for at the first one; none: conversations are refused.
  std::function<const ChatTemplate&()> chat_template;
  ChatUse use = ChatUse::prompts;
};

/// Data files and the names of their fields.
struct Dataset {
  DataRows rows;
  Columns columns = {};

  /// Opens what `name` says (data_rows.h).
  static Dataset open(const std::string& name, Columns columns = {}) {
    return {DataRows::open(name), std::move(columns)};
  }
  static Dataset open(const std::vector<DataSource>& sources, Columns columns = {}) {
    return {DataRows::open(sources), std::move(columns)};
  }
  const std::string& name() const { return rows.name(); }
  /// Whether all that the first row offers to learn is `text`: a plain text, or a row with `text`
  /// and neither `prompt` nor `messages`.
  bool holds_text() const;
};

/// Rows of a data set, read from the disk each time they are asked for. Each must have all fields
/// of at least one of `any_of`. Known fields are text, prompt, completion, teacher, teacher_prompt,
/// all strings, answer (a string, a number, a boolean, or a list of these) and messages; others are
/// left alone. Of a name that is there twice the last value counts, as in Python; null is as if it
/// was not there.
///
/// A row is a conversation (chat.h) where `any_of` knows its `messages`, or its `prompt` is a list;
/// `teacher_prompt` may be a list too. Other tools' forms are read as well (row_forms.h).
///
/// Errors begin with file and line: not JSON, a missing field (with the fields found), a field of
/// another type, what chat.h says of a conversation.
class Examples {
 public:
  Examples(Dataset data, std::vector<Fields> any_of, ChatReader chats = {})
      : data_(std::move(data)), any_of_(std::move(any_of)), chats_(std::move(chats)) {}

  const std::string& name() const { return data_.name(); }
  size_t size() const { return chosen_ ? chosen_->size() : data_.rows.size(); }
  bool empty() const { return size() == 0; }
  Example operator[](size_t i) const;
  /// Reads every row once, so that a broken one is told now and not in the middle of a run.
  void check() const;
  /// Whether a row's text has a field's name in it, perhaps where it means nothing: a row without
  /// it need not be read.
  bool may_have(size_t i, const std::string& field) const;
  /// The same set with its first rows only.
  Examples limit(size_t rows) const;
  /// The same set with these rows only.
  Examples select(std::vector<uint32_t> rows) const;
  /// Rows and weights of what is mixed (data_sources.h), of the rows that are left.
  std::vector<RowShare> shares() const;
  Example front() const { return (*this)[0]; }
  /// The first rows; 0: all.
  std::vector<Example> first(size_t count) const;

  class Iterator {
   public:
    using value_type = Example;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    Iterator(const Examples& rows, size_t at) : rows_(&rows), at_(at) {}
    Example operator*() const { return (*rows_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++at_; }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const Examples* rows_ = nullptr;
    size_t at_ = 0;
  };
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }

 private:
  size_t at(size_t i) const { return chosen_ ? (*chosen_)[i] : i; }

  Dataset data_;
  std::shared_ptr<const std::vector<uint32_t>> chosen_;  // null: all rows
  std::vector<Fields> any_of_;
  ChatReader chats_;
};

/// All rows of a file at once, for small ones.
std::vector<Example> read_examples(const std::string& name, const std::vector<Fields>& any_of,
                                   const ChatReader& chats = {});

}  // namespace alambic
