// The main function of a test program.
#include <gtest/gtest.h>

#include "tests/run.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  return alambic::run_tests();
}
