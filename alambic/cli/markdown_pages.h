// The command line as Markdown, for docs/ (tools/docs-cli).
#pragma once

#include <string>
#include <vector>

#include "alambic/cli/commands.h"

namespace alambic {

/// docs/cli.md: the commands, each with a link to its page, and what holds for all of them.
std::string markdown_index(const std::vector<Command>& commands);

/// docs/cli/NAME.md: usage and a table of options per group.
std::string markdown_page(const Command& command);

}  // namespace alambic
