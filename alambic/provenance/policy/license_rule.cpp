#include "alambic/provenance/policy/license_rule.h"

#include <algorithm>

#include "alambic/provenance/license.h"
#include "alambic/provenance/policy/rules.h"

namespace alambic {

nlohmann::json license_by_rules(const fs::path& model) {
  LicenseFacts facts = license_of(model);
  if (facts.id.empty() && !facts.words.empty()) {
    const PolicyRules rules = read_rules({});
    const auto known = std::ranges::find_if(rules.licenses, [&](const LicenseRule& rule) {
      return !rule.text.empty() && facts.words.find(rule.text) != std::string::npos;
    });
    if (known != rules.licenses.end()) {
      facts.id = known->id;
      facts.source = LicenseFacts::Source::text;
    }
  }
  return license_record(facts);
}

}  // namespace alambic
