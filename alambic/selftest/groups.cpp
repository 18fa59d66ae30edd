#include "alambic/selftest/groups.h"

#include <fmt/format.h>

#include "alambic/selftest/every_divergence.h"
#include "alambic/selftest/machine_properties.h"
#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/training_properties.h"

namespace alambic::selftest {

std::vector<Group> all_groups() {
  const auto forms = divergence_cases().size();
  return {{"this machine's arithmetic", kernel_properties()},
          {fmt::format("every divergence, in {} forms (temperatures, sums, buckets)", forms),
           properties_of_every_divergence()},
          {"divergences", divergence_properties()},
          {"K tokens and a tail", topk_properties()},
          {"hidden states", hidden_properties()},
          {"drawn tokens", policy_properties()},
          {"numerics", numeric_properties()},
          {"models and teachers", model_properties()},
          {"training", training_properties()}};
}

std::string line_of(const Property& property) {
  return fmt::format("{} | prevents: {}", property.says, property.prevents);
}

std::vector<Group> chosen_groups(const std::string& only) {
  std::vector<Group> groups = all_groups();
  for (Group& group : groups) {
    std::erase_if(group.properties, [&](const Property& property) {
      return line_of(property).find(only) == std::string::npos && property.id != only;
    });
  }
  std::erase_if(groups, [](const Group& group) { return group.properties.empty(); });
  return groups;
}

}  // namespace alambic::selftest
