// The small random student and teacher of these tests are those of `alambic selftest`.
#pragma once

#include "alambic/selftest/problem.h"

namespace alambic {

using namespace selftest;  // NOLINT(google-build-using-namespace): test support

}  // namespace alambic
