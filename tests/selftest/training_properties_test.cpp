// The properties of training that `alambic selftest` runs.
#include "alambic/selftest/training_properties.h"

#include "tests/property_test.h"

namespace alambic::proof {
namespace {

INSTANTIATE_TEST_SUITE_P(All, Law, testing::ValuesIn(training_laws()), law_name);

}  // namespace
}  // namespace alambic::proof
