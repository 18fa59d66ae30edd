// What every test program's main function ends with.
#pragma once

namespace alambic {

/// Exit code of all tests of this program, run with a temporary folder that no other process has.
int run_tests();

}  // namespace alambic
