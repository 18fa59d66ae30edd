// The options of every command in commands.def.
#pragma once

#include "alambic/cli/info_options.h"  // IWYU pragma: export
