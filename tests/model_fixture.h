// The small models of these tests are those of `alambic selftest`.
#pragma once

#include "alambic/base/random.h"
#include "alambic/model/tiny.h"
