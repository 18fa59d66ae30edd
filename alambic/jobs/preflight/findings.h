// Findings of a preflight, and how they are told.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace alambic {

enum class Level { good, warning, refused };

struct Finding {
  Level level = Level::good;
  std::string subject;  ///< "vocabulary", "memory", …
  std::string text;
  std::string hint;
};

using Findings = std::vector<Finding>;

/// The worst of them; good when there are none.
Level verdict(const Findings& findings);

/// Lines "ok       vocabulary  …", hints below, and the verdict.
std::string table(const Findings& findings);

/// {"verdict": "good|warning|refused", "findings": [{"level", "subject", "text", "hint"}, …]}
nlohmann::ordered_json json_of(const Findings& findings);

/// Says warnings on standard error and throws a refusal (exit code 4) for the first that is one.
void warn_or_refuse(const Findings& findings);

}  // namespace alambic
