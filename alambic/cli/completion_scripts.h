#pragma once

#include <string>
#include <vector>

#include "alambic/cli/commands.h"

namespace alambic {

/// Kind of word that follows an option.
enum class Follows { nothing, choice, file, anything };

/// One option as a shell completes it.
struct CompletedOption {
  std::string name;  ///< without dashes in front
  std::string placeholder;
  std::string summary;  ///< the beginning of its help
  Follows follows = Follows::anything;
  std::vector<std::string> choices;
  bool repeated = false;
};

/// Options of a command, the common ones included.
std::vector<CompletedOption> completed_options(const Command& command);

/// A command, or a word that is given in its place.
struct CompletedCommand {
  std::string name, summary;
};
std::vector<CompletedCommand> completed_commands(const std::vector<Command>& commands);

std::string bash_script(const std::vector<Command>& commands);
std::string zsh_script(const std::vector<Command>& commands);
std::string fish_script(const std::vector<Command>& commands);

}  // namespace alambic
