// The properties of kernels and small models that `alambic selftest` runs.
#include "alambic/selftest/machine_properties.h"

#include "tests/property_test.h"

namespace alambic::proof {
namespace {

std::vector<Property> laws() {
  std::vector<Property> all = kernel_laws();
  for (const Property& property : model_laws()) all.push_back(property);
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, Law, testing::ValuesIn(laws()), law_name);

}  // namespace
}  // namespace alambic::proof
