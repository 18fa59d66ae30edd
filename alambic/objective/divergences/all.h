// The files behind divergences.def.
#pragma once

#include "alambic/objective/divergences/akl.h"
#include "alambic/objective/divergences/forward_kl.h"
#include "alambic/objective/divergences/jsd.h"
#include "alambic/objective/divergences/reverse_kl.h"
#include "alambic/objective/divergences/skew_kl.h"
#include "alambic/objective/divergences/skew_reverse_kl.h"
#include "alambic/objective/divergences/tvd.h"
