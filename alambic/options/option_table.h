// The options of one command as a list of entries, read off the options struct's own `visit`.
// Parsing, `--help`, config.toml and the documentation are loops over this list.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

struct OptionEntry : OptionFacts {
  using Field =
      std::variant<bool*, int64_t*, double*, std::string*, std::vector<std::string>*, ChoiceField>;

  std::string name;   ///< without dashes in front: "learning-rate"
  std::string group;  ///< "" before the first group
  std::string help;
  Field field;
  Bounds bounds;
  std::string initial;           ///< toml() when the table was made: the default
  bool given = false;            ///< set from the command line or a file
  bool on_command_line = false;  ///< set from the command line

  bool is_flag() const { return std::holds_alternative<bool*>(field); }
  bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(field); }
  /// Names of the values of a choice; empty for the other kinds.
  const std::vector<std::string>& choices() const;

  /// Empty, 0 or false; never true of a choice.
  bool is_nothing() const;
  bool changed() const { return toml() != initial; }

  /// Placeholder of the option's value in `--help`: "N", "X", "TEXT", "a|b"; "" for a flag.
  std::string placeholder() const;
  /// "at least 0", "0 to 1", "greedy|sample"; "" when anything goes.
  std::string limits() const;
  /// The field's value as one writes it on the command line; of a list, as TOML.
  std::string text() const;
  /// The field's value as TOML.
  std::string toml() const;

  /// Set the field after checking bounds and choices. `where` opens the error: "--beta" or
  /// "run.toml:3: beta".
  void set_flag(const std::string& where, bool value);
  void set_integer(const std::string& where, int64_t value);
  void set_number(const std::string& where, double value);
  void set_text(const std::string& where, const std::string& value);
  void set_list(std::vector<std::string> values);
  /// The same from a word of the command line.
  void set_word(const std::string& where, const std::string& word);
  /// `found` is not what this option takes: "--beta: expected a number, found 'x'".
  [[noreturn]] void refuse(const std::string& where, const std::string& found) const;
};

/// Entries point into `options`, which must outlive the table.
class OptionTable {
 public:
  explicit OptionTable(Options& options);
  /// A table for readers only: setting an entry of it would change a const object.
  explicit OptionTable(const Options& options) : OptionTable(const_cast<Options&>(options)) {}

  std::vector<OptionEntry>& entries() & { return entries_; }
  const std::vector<OptionEntry>& entries() const& { return entries_; }
  std::vector<OptionEntry> entries() && { return std::move(entries_); }
  /// Entry of that name, a former one too, dashes and underscores alike; null: none.
  OptionEntry* find(const std::string& name);
  const OptionEntry* find(const std::string& name) const {
    return const_cast<OptionTable*>(this)->find(name);
  }
  /// The known name nearest to a mistyped one; "" when none is near.
  std::string nearest(const std::string& name) const;

 private:
  std::vector<OptionEntry> entries_;
};

/// "learning_rate" -> "learning-rate"
std::string with_dashes(std::string name);
/// A TOML basic string, quoted and escaped.
std::string toml_string(const std::string& text);

}  // namespace alambic
