// The files behind policies.def.
#pragma once

#include "alambic/objective/policies/grpo.h"
#include "alambic/objective/policies/long_term_kl.h"
#include "alambic/objective/policies/sampled_reverse_kl.h"
