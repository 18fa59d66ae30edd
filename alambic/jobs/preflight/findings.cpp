#include "alambic/jobs/preflight/findings.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/log.h"

namespace alambic {

namespace {

std::string name_of(Level level) {
  return level == Level::good ? "good" : level == Level::warning ? "warning" : "refused";
}

}  // namespace

Level verdict(const Findings& findings) {
  Level worst = Level::good;
  for (const Finding& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

std::string table(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{:8} {:12} {}\n", name_of(finding.level), finding.subject, finding.text);
    if (!finding.hint.empty()) text += fmt::format("{:21} hint: {}\n", "", finding.hint);
  }
  switch (verdict(findings)) {
    case Level::good:
      return text + "verdict: good to go\n";
    case Level::warning:
      return text + "verdict: it can run; read the warnings\n";
    case Level::refused:
      return text + "verdict: it should not run like this\n";
  }
  return text;
}

nlohmann::ordered_json json_of(const Findings& findings) {
  nlohmann::ordered_json json = {{"verdict", name_of(verdict(findings))},
                                 {"findings", nlohmann::ordered_json::array()}};
  for (const Finding& finding : findings) {
    json["findings"].push_back({{"level", name_of(finding.level)},
                                {"subject", finding.subject},
                                {"text", finding.text},
                                {"hint", finding.hint}});
  }
  return json;
}

void warn_or_refuse(const Findings& findings) {
  for (const Finding& finding : findings) {
    if (finding.level == Level::refused) {
      throw Error(Exit::refused, finding.subject + ": " + finding.text, finding.hint);
    }
    if (finding.level == Level::warning) warn("{}: {}", finding.subject, finding.text);
  }
}

}  // namespace alambic
