// The options of every command in commands.def.
#pragma once

#include "alambic/cli/commands/check_options.h"            // IWYU pragma: export
#include "alambic/cli/commands/convert_options.h"          // IWYU pragma: export
#include "alambic/cli/commands/eval_options.h"             // IWYU pragma: export
#include "alambic/cli/commands/generate_options.h"         // IWYU pragma: export
#include "alambic/cli/commands/info_options.h"             // IWYU pragma: export
#include "alambic/cli/commands/init_options.h"             // IWYU pragma: export
#include "alambic/cli/commands/judge_check_options.h"      // IWYU pragma: export
#include "alambic/cli/commands/logits_options.h"           // IWYU pragma: export
#include "alambic/cli/commands/render_options.h"           // IWYU pragma: export
#include "alambic/cli/commands/report_options.h"           // IWYU pragma: export
#include "alambic/cli/commands/selftest_options.h"         // IWYU pragma: export
#include "alambic/cli/commands/tokenize_options.h"         // IWYU pragma: export
#include "alambic/cli/commands/tokenizer_train_options.h"  // IWYU pragma: export
#include "alambic/jobs/distill_options.h"                  // IWYU pragma: export
#include "alambic/jobs/train_options.h"                    // IWYU pragma: export
