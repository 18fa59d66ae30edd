// One table of options per command. A struct lists its fields once, with help and with what goes
// together; parsing, `--help`, the resolved config.toml of a run, the documentation and shell
// completion are all readers of that list.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "alambic/options/choice_field.h"
#include "alambic/options/option_facts.h"

namespace alambic {

struct Bounds {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// Names are given as on the command line without dashes ("learning-rate"); the same name is the
/// key in a TOML file. The field's value before parsing is the default that `--help` shows. What
/// more is to be said of an option is chained: `v.text("out", out, "…").required()`.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  /// Starts a headed section of `--help`; following options belong to it.
  virtual void group(const std::string& title) = 0;
  virtual OptionFacts& flag(const std::string& name, bool& field, const std::string& help) = 0;
  virtual OptionFacts& integer(const std::string& name, int64_t& field, const std::string& help,
                               Bounds bounds = {}) = 0;
  virtual OptionFacts& number(const std::string& name, double& field, const std::string& help,
                              Bounds bounds = {}) = 0;
  virtual OptionFacts& text(const std::string& name, std::string& field,
                            const std::string& help) = 0;
  /// May be given several times on the command line; an array in TOML.
  virtual OptionFacts& list(const std::string& name, std::vector<std::string>& field,
                            const std::string& help) = 0;
  /// One of the named values of an enum; the field stands at one of them.
  template <class Enum>
  OptionFacts& choice(const std::string& name, Enum& field,
                      const std::vector<std::pair<std::string, std::type_identity_t<Enum>>>& values,
                      const std::string& help) {
    return add_choice(name, ChoiceField(field, values), help);
  }
  /// Facts of an option that was listed before: for a condition on an option of another struct.
  virtual OptionFacts& option(const std::string& name) = 0;

 protected:
  virtual OptionFacts& add_choice(const std::string& name, ChoiceField field,
                                  const std::string& help) = 0;
};

/// Options of a command: anything with `void visit(OptionVisitor&)`.
struct Options {
  virtual ~Options() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
};

}  // namespace alambic
