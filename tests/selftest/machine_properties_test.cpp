// The properties of kernels and small models that `alambic selftest` runs.
#include "alambic/selftest/machine_properties.h"

#include "tests/property_test.h"

namespace alambic::selftest {
namespace {

std::vector<Property> properties() {
  std::vector<Property> all = kernel_properties();
  for (const Property& property : model_properties()) all.push_back(property);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, PropertyTest, testing::ValuesIn(properties()), property_name);

}  // namespace
}  // namespace alambic::selftest
