// The options of every command in commands.def.
#pragma once

#include "alambic/cli/check_options.h"            // IWYU pragma: export
#include "alambic/cli/convert_options.h"          // IWYU pragma: export
#include "alambic/cli/distill_options.h"          // IWYU pragma: export
#include "alambic/cli/eval_options.h"             // IWYU pragma: export
#include "alambic/cli/generate_options.h"         // IWYU pragma: export
#include "alambic/cli/info_options.h"             // IWYU pragma: export
#include "alambic/cli/init_options.h"             // IWYU pragma: export
#include "alambic/cli/judge_check_options.h"      // IWYU pragma: export
#include "alambic/cli/logits_options.h"           // IWYU pragma: export
#include "alambic/cli/render_options.h"           // IWYU pragma: export
#include "alambic/cli/report_options.h"           // IWYU pragma: export
#include "alambic/cli/selftest_options.h"         // IWYU pragma: export
#include "alambic/cli/tokenize_options.h"         // IWYU pragma: export
#include "alambic/cli/tokenizer_train_options.h"  // IWYU pragma: export
#include "alambic/cli/train_options.h"            // IWYU pragma: export
