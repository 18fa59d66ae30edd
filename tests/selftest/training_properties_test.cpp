// The properties of training that `alambic selftest` runs.
#include "alambic/selftest/training_properties.h"

#include "tests/property_test.h"

namespace alambic::selftest {
namespace {

INSTANTIATE_TEST_SUITE_P(All, PropertyTest, testing::ValuesIn(training_properties()),
                         property_name);

}  // namespace
}  // namespace alambic::selftest
