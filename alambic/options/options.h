// One table of options per command. A struct lists its fields once, with help; parsing, `--help`,
// the resolved config.toml of a run and the documentation are all visitors of that list.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace alambic {

struct Bounds {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// Names are given as on the command line without dashes ("learning-rate"); the same name is the
/// key in a TOML file. The field's value before parsing is the default that `--help` shows.
class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  /// Starts a headed section of `--help`; following options belong to it.
  virtual void group(const std::string& title) = 0;
  virtual void flag(const std::string& name, bool& field, const std::string& help) = 0;
  virtual void integer(const std::string& name, int64_t& field, const std::string& help,
                       Bounds bounds = {}) = 0;
  virtual void number(const std::string& name, double& field, const std::string& help,
                      Bounds bounds = {}) = 0;
  virtual void text(const std::string& name, std::string& field, const std::string& help) = 0;
  /// One of `choices`.
  virtual void choice(const std::string& name, std::string& field,
                      const std::vector<std::string>& choices, const std::string& help) = 0;
  /// May be given several times on the command line; an array in TOML.
  virtual void list(const std::string& name, std::vector<std::string>& field,
                    const std::string& help) = 0;
  /// The named option must be given, on the command line or in the file.
  virtual void required(const std::string& name) = 0;
  /// The named option is a model: where it is a name of the Hugging Face hub, the program fetches
  /// it and puts the folder in its place. Without `weights` the small files are enough.
  virtual void model(const std::string& name, bool weights = true) = 0;
};

/// Options of a command: anything with `void visit(OptionVisitor&)`.
struct Options {
  virtual ~Options() = default;
  virtual void visit(OptionVisitor& visitor) = 0;
};

}  // namespace alambic
